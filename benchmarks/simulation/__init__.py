"""A day in minutes: Forewarm's own code on real stores and the stand-in GitHub, in virtual time.

One process. Its wall clock (time.time, datetime.now) is moved from event to event by time-machine
and stands still in between; monotonic clocks run on. Periods, ages, demand, looks and budgets
therefore pass as they are set, nothing is scaled. What Redis expires by itself (grace of days,
leases) lives by real time and is longer than a simulation takes. Workers' real actors run here at
the moment they are due, instead of in processes of their own; the timetable's minutes are kept.
A call to GitHub takes no virtual time, and the stand-in's reads don't lag.

    world: owners of 50 repositories each; every change is a new description, told by
           repository.edited, push or issues.opened in turn (the last two are counters)
    trace: requests and changes by a fixed seed, Poisson and Zipf (s = 1); 40 % of the deliveries
           change nothing
"""
