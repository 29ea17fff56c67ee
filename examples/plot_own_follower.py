"""
A bilevel problem with a follower of one's own
==============================================

A firm sets the price of its product. Its customer buys two products that replace each other, of
which a competitor sells the second at a fixed price, within a budget of one unit. The customer is
the follower: a convex program in Pyomo, which :func:`bilad.solvers.solve_bilevel` replaces by its
optimality conditions and solves again to verify the answer.
"""

import matplotlib.pyplot as plt
import numpy as np
import pyomo.environ as pyo

from bilad.formulations import Follower
from bilad.solvers import solve_bilevel

VALUE, COMPETITOR = 2.0, 1.2


# %%
# The customer maximises the utility less the cost; the firm maximises its revenue.
def market(price=None):
    """Return the model, with a fixed price if one is given."""
    m = pyo.ConcreteModel()
    m.price = pyo.Var(bounds=(0.0, 2.0), initialize=0.5)
    m.customer = Follower()
    m.customer.buys = pyo.Var([0, 1], bounds=(0.0, None), initialize=0.5)
    first, second = m.customer.buys.values()
    m.customer.budget = pyo.Constraint(expr=first + second <= 1.0)
    utility = VALUE * (first + second) - 0.5 * (first**2 + second**2)
    cost = m.price * first + COMPETITOR * second
    m.customer.surplus = pyo.Objective(expr=utility - cost, sense=pyo.maximize)
    m.revenue = pyo.Objective(expr=m.price * first, sense=pyo.maximize)
    if price is not None:
        m.price.fix(price)
    return m


# %%
# The KKT conditions of the follower are relaxed and solved by IPOPT from three starts.
best = market()
found = solve_bilevel(best, "kkt", starts=3)
print(f"{found.status}: revenue {found.objective:.4f} at the price {best.price.value:.4f}")

# %%
# The revenue at fixed prices has a kink where the budget of the customer ceases to bind.
prices = np.linspace(0.1, 1.9, 13)
revenues = [solve_bilevel(market(price), "kkt").objective for price in prices]
figure, ax = plt.subplots()
ax.plot(prices, revenues, ".-", label="price fixed")
ax.plot(best.price.value, found.objective, "*", markersize=14, label="optimum")
ax.set(xlabel="price", ylabel="revenue")
ax.legend()
plt.show()
