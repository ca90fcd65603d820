# Solution and tests as one file; the exit status 0 is a pass (rllm's humanevalplus, SandboxFusion's assert cases).
def everything():
    exec(compile("\n".join([CODE, SETUP, *assertions()]), "solution.py", "exec"), {"__name__": "__main__"})


verdict(in_child(everything)[0] == 0)
