"""Print all measurements: ``make bench``. One can be run alone: ``python -m benchmarks.stack``."""

from benchmarks import jobs, pages, stack, store

for part in (stack, store, jobs, pages):
    title = (part.__doc__ or "").strip().partition("\n")[0]
    print(f"\n== {title}", flush=True)
    part.main()
