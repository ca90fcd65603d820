"""`crl-train`: a thin trainer of critique coders over TRL, and what tells whether it taught anything.

    recipe, recipe_file   our keys, and reading them with TRL's
    settings              where each value comes from: the paper, the authors' scripts, ours
    arms, data            what is trained on
    stream, phases        which prompts come next; how far a run is
    trainer, groups       TRL's GRPOTrainer, subclassed; the tensors of its groups
    measures, lines       what is told, and the files it stands in
    onpolicy, rollouts, own_dataset   what the policy wrote: as prompts, as rows, as a dataset
    steering              what happens between updates
    selection             which checkpoint is the model
    run, supervised       a whole run: by rewards, or by imitation
    forecast, report, card, publish, doctor, cli
    toys/                 learning tasks for a processor

docs/training.md is for its users.
"""
