"""What programs that are forked (tests/forked.py) have loaded as they begin."""

from pipeline.cli import quieten

quieten()  # before the libraries are imported, as the command line does it

import pipeline.corpus.build  # noqa: E402
import pipeline.evaluate.metrics  # noqa: E402
import pipeline.evaluate.tfidf  # noqa: E402
import pipeline.report.page  # noqa: E402
import pipeline.stages  # noqa: E402
import pipeline.tokenizer.build  # noqa: E402
import pipeline.train.finetune  # noqa: E402
import pipeline.train.pretrain  # noqa: E402, F401
