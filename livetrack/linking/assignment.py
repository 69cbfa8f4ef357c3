"""The cheapest set of links of one frame, exactly: a sparse shortest augmenting path.

Each row takes at most one column and each column serves at most one row. A row that takes none pays
`unlinked_cost`; a column that serves none pays nothing. Rows whose cheapest column is free take it at once; each
of the others is then fitted in along the cheapest chain of exchanges, which ends at a free column or at a row that
gives up its link. The prices of rows and columns (the dual variables) keep every chain's reduced costs at
zero or above, so that the sum is the least possible over the whole frame, whatever the order and however large
the conflict.

R. Jonker, A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment problems",
Computing 38, 325-340 (1987); the search is that of E. W. Dijkstra, Numerische Mathematik 1, 269-271 (1959).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking.buffers import ensure_capacity

__all__ = ["Assignment"]


class Assignment:
    """Solver of one frame after another; it keeps its working memory.

    Attributes
    ----------
    exact
        Whether the last frame's links are the cheapest: a frame that takes too much work is ended row by row,
        each taking the cheapest column that is free.
    """

    def __init__(self) -> None:
        self.exact = True
        self._link = np.zeros(1, np.int32)
        self._row_price = np.zeros(1, np.float64)
        self._columns = np.zeros(1, _COLUMN)
        self._heap = np.zeros(1, np.int32)
        self._reached = np.zeros(1, np.int32)

    def solve(
        self,
        rows: int,
        columns: int,
        first: npt.NDArray[np.int64],
        column: npt.NDArray[np.int32],
        cost: npt.NDArray[np.float64],
        unlinked_cost: float,
    ) -> npt.NDArray[np.int32]:
        """Return the column of each row, -1 where it has none; the array is written over by the next call.

        Parameters
        ----------
        rows, columns
            How many there are of each.
        first, column, cost
            The possible links as sparse rows: row `i` may take `column[k]` at `cost[k]`, for `k` from `first[i]` to
            before `first[i + 1]`. Costs are finite and no more than `unlinked_cost`.
        unlinked_cost
            What a row pays that takes no column.
        """
        if rows > len(self._link) or columns > len(self._columns):
            self._make_room(rows, columns)
        self.exact = _solve(
            rows, columns, first, column, cost, unlinked_cost, _MOST_WORK,
            self._link, self._row_price, self._columns, self._heap, self._reached,
        )  # fmt: skip
        return self._link[:rows]

    def _make_room(self, rows: int, columns: int) -> None:
        self._link = ensure_capacity(self._link, rows)
        self._row_price = ensure_capacity(self._row_price, rows)
        self._columns = ensure_capacity(self._columns, columns)
        self._heap = ensure_capacity(self._heap, columns)
        self._reached = ensure_capacity(self._reached, columns)


_COLUMN = np.dtype(
    [
        ("price", "<f8"),
        ("distance", "<f8"),  # of the cheapest chain that reaches this column, inf where none has yet
        ("owner", "<i4"),  # row
        ("reached_from", "<i4"),  # row
        ("place", "<i4"),  # in the heap of the search
    ],
    align=True,
)

_NONE = -1

# Looks at a candidate in all searches of a frame, some tens of milliseconds: 10,000 particles at ordinary densities
# take a tenth of it, 400 all within reach of each other as much.
_MOST_WORK = 5_000_000


@njit
def _solve(
    rows: int,
    columns: int,
    first: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    cost: npt.NDArray[np.float64],
    unlinked_cost: float,
    most_work: int,
    link: npt.NDArray[np.int32],
    row_price: npt.NDArray[np.float64],
    state: npt.NDArray[np.void],
    heap: npt.NDArray[np.int32],
    reached: npt.NDArray[np.int32],
) -> bool:
    state["price"][:columns] = 0.0
    state["distance"][:columns] = np.inf
    state["owner"][:columns] = _NONE
    _link_without_conflict(rows, first, column, cost, unlinked_cost, link, row_price, state)
    work = 0
    for row in range(rows):
        if link[row] == _NONE and first[row] < first[row + 1]:
            if work > most_work:
                _take_what_is_free(row, first, column, cost, link, state)
                continue
            end, loser, total, count, looks = _search(
                row, first, column, cost, unlinked_cost, row_price, state, heap, reached
            )
            _settle_prices(row, total, reached[:count], row_price, state)
            _exchange_links(end, loser, link, state)
            work += looks
    return work <= most_work


@njit
def _take_what_is_free(
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
    """Price each row at its cheapest column, and give it that column if it is still free."""
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

    Returns the free column where it ends or else `_NONE`, the row that then gives up its link, what the chain
    costs, how many columns were `reached`, and how many candidates were looked at.
    """
    price, distance, owner = state["price"], state["distance"], state["owner"]
    reached_from, place = state["reached_from"], state["place"]
    row, so_far = start, 0.0
    end, loser, total = _NONE, start, np.inf
    count = in_heap = looks = 0
    while True:
        giving_up = so_far + unlinked_cost - row_price[row]
        if giving_up < total:
            end, loser, total = _NONE, row, giving_up
        looks += first[row + 1] - first[row]
        for k in range(first[row], first[row + 1]):
            j = column[k]
            through = so_far + max(cost[k] - row_price[row] - price[j], 0.0)  # below 0 by rounding only
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
                    _rise(j, heap, distance, place)
        if in_heap == 0 or distance[heap[0]] >= total:
            return end, loser, total, count, looks
        nearest = heap[0]
        in_heap -= 1
        _sink(heap[in_heap], in_heap, heap, distance, place)
        row, so_far = owner[nearest], distance[nearest]


@njit
def _settle_prices(
    start: int,
    total: float,
    reached: npt.NDArray[np.int32],
    row_price: npt.NDArray[np.float64],
    state: npt.NDArray[np.void],
) -> None:
    """Move the prices of what the search passed, so that the chain costs nothing; forget the distances."""
    price, distance, owner = state["price"], state["distance"], state["owner"]
    row_price[start] += total
    for j in reached:
        if distance[j] < total:
            price[j] -= total - distance[j]
            row_price[owner[j]] += total - distance[j]
        distance[j] = np.inf


@njit
def _exchange_links(end: int, loser: int, link: npt.NDArray[np.int32], state: npt.NDArray[np.void]) -> None:
    """Hand the links on along the chain, from its end back to its start."""
    owner, reached_from = state["owner"], state["reached_from"]
    if end == _NONE:
        end = link[loser]
        link[loser] = _NONE
    while end != _NONE:
        row = reached_from[end]
        owner[end] = row
        end, link[row] = link[row], end


@njit
def _rise(
    j: int,
    heap: npt.NDArray[np.int32],
    distance: npt.NDArray[np.float64],
    place: npt.NDArray[np.int32],
) -> None:
    """Put column `j`, which stood at `place[j]` and came nearer, where it belongs in the heap."""
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
def _sink(
    j: int,
    length: int,
    heap: npt.NDArray[np.int32],
    distance: npt.NDArray[np.float64],
    place: npt.NDArray[np.int32],
) -> None:
    """Put column `j` into the heap of `length`, in place of the nearest, which goes."""
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
