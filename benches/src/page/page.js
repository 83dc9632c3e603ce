// Sorts a table by the column whose heading is pressed: first the largest number or the first word, then the other way round.
// What is sorted how stands behind the # of the address, so that it can be sent to somebody: #climb-1.2.descending.
'use strict';
function key(row, column) {
  const cell = row.cells[column];
  return 'value' in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
}
function compare(a, b, sign) {
  // What has no number stands behind what has one, whichever way it is sorted.
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return sign * (typeof a === 'number' ? a - b : a.localeCompare(b));
}
function sort(table, column, direction) {
  const sign = direction === 'descending' ? -1 : 1;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  rows.sort((one, other) => compare(key(one, column), key(other, column), sign));
  body.append(...rows);
  const headings = table.tHead.rows[0].cells;
  for (const heading of headings) heading.removeAttribute('aria-sort');
  headings[column].setAttribute('aria-sort', direction);
}
for (const button of document.querySelectorAll('thead button')) {
  button.addEventListener('click', () => {
    const heading = button.parentElement;
    const first = heading.className === 'number' ? 'descending' : 'ascending';
    const other = first === 'descending' ? 'ascending' : 'descending';
    const direction = heading.getAttribute('aria-sort') === first ? other : first;
    const table = heading.closest('table');
    sort(table, heading.cellIndex, direction);
    history.replaceState(null, '', '#' + [table.id, heading.cellIndex, direction].join('.'));
  });
}
const asked = /^#([\w-]+)\.(\d+)\.(ascending|descending)$/.exec(location.hash);
const table = asked && document.getElementById(asked[1]);
if (table && table.tHead.rows[0].cells[Number(asked[2])]) {
  sort(table, Number(asked[2]), asked[3]);
  table.scrollIntoView();
}
