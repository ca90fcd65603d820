"""The runner: a separate program, of the standard library alone, that runs code under judgement behind walls.

It is started as ``python -S -s -P <this folder>`` and speaks frames (`wire`) over its standard input and output.
It is told what to run and says what happened; it never sees an expected output and never draws a verdict.

Inside it are four kinds of process, each the parent of the next:

    supervisor   speaks to the judge, feeds inputs, enforces limits, reads outputs        (`supervisor`)
    zygote       clean: sees no code and no data; forks one cell for each solution        (`cell`)
    cell         process 1 of the solution's own namespaces; compiles, never runs, code   (`cell`)
    child        runs the solution: one test, or several one after another                (`child`, `served`)

Tests written as Python source run beside it, in processes of ours that are walled the same way. The supervisor has a second
zygote for them, which sleeps until it is first needed:

    tester's zygote, cell       one cell for each problem, in which its tests are prepared      (`cell`)
    tester                      runs tests; stand-ins ask the solution's child by value         (`tester`, `modules`,
                                                                                                 `proxy`, `transport`)

Nothing here imports anything of the project outside this folder, so that the folder alone can be copied elsewhere.
"""
