"""What leaves the machine: which files of a dataset go to the Hub, what stops them, and how they get there.

Contents    the files that go, known by their hashes       `contents`
push        Contents to a repository, in one commit        `push`
leaks       the last look for keys and paths               `leaks`
"""
