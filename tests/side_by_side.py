"""Several threads at once."""

import threading


def run_side_by_side(*bodies):
    """Each function in a thread of its own, all begun together; the first error is raised here."""
    errors, start = [], threading.Barrier(len(bodies))

    def guarded(body):
        try:
            start.wait()
            body()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
