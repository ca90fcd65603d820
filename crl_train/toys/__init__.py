"""Learning tasks that are small enough for a CPU, made from nothing: problems, solutions, demonstrations, a tokenizer, a model.

They are for showing that training teaches, and what it teaches; `python -m crl_train.toys NAME --out DIR` writes one.

    tiny    one operator and one constant: judge whether a line of Python does what two words say
    small   programs of several statements, with branches and loops
"""
