"""The words of the command line: what each takes and does. What is heavy is imported by the verb's function."""

from pipeline.verbs.common import Verb
from pipeline.verbs.explaining import EXPLAINING
from pipeline.verbs.measuring import MEASURING
from pipeline.verbs.training import TRAINING
from pipeline.verbs.using import USING

VERBS: dict[str, Verb] = {**TRAINING, **MEASURING, **EXPLAINING, **USING}
