def run_full_disk(programs, base):
    raise NotImplementedError
