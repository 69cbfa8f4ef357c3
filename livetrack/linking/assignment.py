"""Minimum-cost assignment of one frame: a sparse shortest augmenting path.

Each row is linked to at most one column and each column to at most one row. An unlinked row costs `unlinked_cost`; an
unlinked column costs nothing. Rows whose cheapest column is free are linked first. Each remaining row is then fitted
in along the cheapest chain of exchanges, which ends at a free column or at a row that becomes unlinked. The dual
variables of rows and columns (their prices) keep all reduced costs at zero or above, so that the total cost is the
global minimum, whatever the order of the rows and the size of a conflict.

R. Jonker, A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment problems",
Computing 38, 325-340 (1987); the search is that of E. W. Dijkstra, Numerische Mathematik 1, 269-271 (1959).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["solve"]


_COLUMN = np.dtype(
    [
        ("price", "<f8"),
        ("distance", "<f8"),  # cost of the cheapest chain to this column, inf if none has reached it
        ("owner", "<i4"),  # the row linked to it
        ("reached_from", "<i4"),  # row
        ("place", "<i4"),  # its position in the heap of the search
    ],
    align=True,
)

_NONE = -1

# Candidates examined in all searches of a frame, tens of milliseconds. 10,000 particles at ordinary densities need a
# tenth of this; 400 particles within one search radius need all of it.
_MAX_WORK = 5_000_000


@njit
def solve(
    rows: int,
    columns: int,
    first: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    cost: npt.NDArray[np.float64],
    unlinked_cost: float,
) -> tuple[npt.NDArray[np.int32], bool]:
    """Return the assignment of minimum cost.

    Parameters
    ----------
    rows, columns
        Their numbers.
    first, column, cost
        The possible links as sparse rows: row `i` may be linked to `column[k]` at `cost[k]`, for `k` in
        `range(first[i], first[i + 1])`. Costs are finite and at most `unlinked_cost`.
    unlinked_cost
        The cost of a row without a column.

    Returns
    -------
    link
        (rows,) column of each row, -1 if it is unlinked.
    exact
        Whether this is the minimum. In a frame that takes too much work, the remaining rows are linked one by one,
        each to its cheapest free column.
    """
    link, row_price = np.empty(rows, np.int32), np.empty(rows, np.float64)
    state, heap, reached = np.empty(columns, _COLUMN), np.empty(columns, np.int32), np.empty(columns, np.int32)
    state["price"][:] = 0.0
    state["distance"][:] = np.inf
    state["owner"][:] = _NONE
    _link_without_conflict(rows, first, column, cost, unlinked_cost, link, row_price, state)
    work = 0
    for row in range(rows):
        if link[row] == _NONE and first[row] < first[row + 1]:
            if work > _MAX_WORK:
                _link_greedily(row, first, column, cost, link, state)
                continue
            end, unlinked_row, total, count, examined = _search(
                row, first, column, cost, unlinked_cost, row_price, state, heap, reached
            )
            _update_prices(row, total, reached[:count], row_price, state)
            _exchange_links(end, unlinked_row, link, state)
            work += examined
    return link, work <= _MAX_WORK


@njit
def _link_greedily(
    row: int,
    first: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    cost: npt.NDArray[np.float64],
    link: npt.NDArray[np.int32],
    state: npt.NDArray[np.void],
) -> None:
    owner = state["owner"]
    best = _NONE
    for k in range(first[row], first[row + 1]):
        if owner[column[k]] == _NONE and (best == _NONE or cost[k] < cost[best]):
            best = k
    if best != _NONE:
        link[row], owner[column[best]] = column[best], row


@njit
def _link_without_conflict(
    rows: int,
    first: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    cost: npt.NDArray[np.float64],
    unlinked_cost: float,
    link: npt.NDArray[np.int32],
    row_price: npt.NDArray[np.float64],
    state: npt.NDArray[np.void],
) -> None:
    """Set each row's price to its cheapest cost, and link it to that column if it is still free."""
    owner = state["owner"]
    for row in range(rows):
        link[row] = _NONE
        row_price[row] = unlinked_cost
        best = _NONE
        for k in range(first[row], first[row + 1]):
            if best == _NONE or cost[k] < row_price[row]:
                best, row_price[row] = column[k], cost[k]
        if best != _NONE and owner[best] == _NONE:
            link[row], owner[best] = best, row


@njit
def _search(
    start: int,
    first: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    cost: npt.NDArray[np.float64],
    unlinked_cost: float,
    row_price: npt.NDArray[np.float64],
    state: npt.NDArray[np.void],
    heap: npt.NDArray[np.int32],
    reached: npt.NDArray[np.int32],
) -> tuple[int, int, float, int, int]:
    """Find the cheapest chain from row `start`.

    Returns the free column where the chain ends, or `_NONE`; the row that becomes unlinked in that case; the cost of
    the chain; the number of columns `reached`; and the number of candidates examined.
    """
    price, distance, owner = state["price"], state["distance"], state["owner"]
    reached_from, place = state["reached_from"], state["place"]
    row, so_far = start, 0.0
    end, unlinked_row, total = _NONE, start, np.inf
    count = in_heap = examined = 0
    while True:
        unlinking = so_far + unlinked_cost - row_price[row]
        if unlinking < total:
            end, unlinked_row, total = _NONE, row, unlinking
        examined += first[row + 1] - first[row]
        for k in range(first[row], first[row + 1]):
            j = column[k]
            through = so_far + max(cost[k] - row_price[row] - price[j], 0.0)  # negative only by rounding
            if through < total and through < distance[j]:
                if distance[j] == np.inf:
                    reached[count] = j
                    count += 1
                    place[j] = in_heap
                    in_heap += owner[j] != _NONE
                distance[j] = through
                reached_from[j] = row
                if owner[j] == _NONE:
                    end, total = j, through
                else:
                    _sift_up(j, heap, distance, place)
        if in_heap == 0 or distance[heap[0]] >= total:
            return end, unlinked_row, total, count, examined
        nearest = heap[0]
        in_heap -= 1
        _sift_down(heap[in_heap], in_heap, heap, distance, place)
        row, so_far = owner[nearest], distance[nearest]


@njit
def _update_prices(
    start: int,
    total: float,
    reached: npt.NDArray[np.int32],
    row_price: npt.NDArray[np.float64],
    state: npt.NDArray[np.void],
) -> None:
    """Adjust the prices along the searched columns so that the chain's reduced cost is zero; clear the distances."""
    price, distance, owner = state["price"], state["distance"], state["owner"]
    row_price[start] += total
    for j in reached:
        if distance[j] < total:
            price[j] -= total - distance[j]
            row_price[owner[j]] += total - distance[j]
        distance[j] = np.inf


@njit
def _exchange_links(end: int, unlinked_row: int, link: npt.NDArray[np.int32], state: npt.NDArray[np.void]) -> None:
    """Exchange the links along the chain, from its end back to its start."""
    owner, reached_from = state["owner"], state["reached_from"]
    if end == _NONE:
        end = link[unlinked_row]
        link[unlinked_row] = _NONE
    while end != _NONE:
        row = reached_from[end]
        owner[end] = row
        end, link[row] = link[row], end


@njit
def _sift_up(
    j: int,
    heap: npt.NDArray[np.int32],
    distance: npt.NDArray[np.float64],
    place: npt.NDArray[np.int32],
) -> None:
    """Move column `j`, at `place[j]`, up in the heap after its distance has decreased."""
    here = place[j]
    while here > 0:
        above = (here - 1) // 2
        if distance[heap[above]] <= distance[j]:
            break
        heap[here] = heap[above]
        place[heap[here]] = here
        here = above
    heap[here] = j
    place[j] = here


@njit
def _sift_down(
    j: int,
    length: int,
    heap: npt.NDArray[np.int32],
    distance: npt.NDArray[np.float64],
    place: npt.NDArray[np.int32],
) -> None:
    """Replace the top of the heap, which then holds `length` columns, by column `j`."""
    here = 0
    while 2 * here + 1 < length:
        below = 2 * here + 1
        if below + 1 < length and distance[heap[below + 1]] < distance[heap[below]]:
            below += 1
        if distance[j] <= distance[heap[below]]:
            break
        heap[here] = heap[below]
        place[heap[here]] = here
        here = below
    heap[here] = j
    place[j] = here
