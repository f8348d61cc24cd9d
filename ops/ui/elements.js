/** The page's writing hand. Text goes in as text only: names and messages come from jobs and are not trusted as markup. */
const SVG = 'http://www.w3.org/2000/svg';

export function byId(id) {
  return document.getElementById(id);
}

/** Leaves the node alone when nothing changed, so that selections survive. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setState(element, state) {
  setText(element, state);
  element.dataset.state = state;
}

/**
 * Makes a table body show `rows`, reusing its rows by position. The first cell of each row is its header.
 * A cell is text, or `{ number }`, `{ pill }` or `{ shares }`.
 */
export function fillTable(table, rows) {
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  for (const [index, cells] of rows.entries()) {
    const row = body.rows[index] ?? body.insertRow();
    for (const [column, cell] of cells.entries()) fillCell(row, column, cell);
  }
}

function fillCell(row, column, cell) {
  let element = row.cells[column];
  if (element === undefined) {
    element = document.createElement(column === 0 ? 'th' : 'td');
    if (column === 0) element.scope = 'row';
    row.append(element);
  }
  if (typeof cell === 'string') setText(element, cell);
  else if ('number' in cell) {
    element.className = 'number';
    setText(element, cell.number);
  } else if ('pill' in cell) setState(only(element, newPill), cell.pill);
  else setMeter(only(element, newMeter), cell.shares);
}

function only(element, make) {
  if (element.firstElementChild === null) element.append(make());
  return element.firstElementChild;
}

function newPill() {
  const pill = document.createElement('span');
  pill.className = 'pill';
  return pill;
}

/** Where time went: busy, then backpressured, the rest idle. */
function newMeter() {
  const meter = document.createElement('div');
  meter.className = 'meter';
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  for (const kind of ['busy', 'backpressured']) {
    const bar = document.createElementNS(SVG, 'rect');
    bar.setAttribute('class', kind);
    bar.setAttribute('height', '100%');
    svg.append(bar);
  }
  meter.append(svg, document.createElement('span'));
  return meter;
}

function setMeter(meter, shares) {
  const percent = (share) => Math.round((shares?.[share] ?? 0) * 100);
  const [busy, backpressured] = [percent('busy'), percent('backpressured')];
  const [first, second] = meter.querySelectorAll('rect');
  first.setAttribute('width', `${busy}%`);
  second.setAttribute('x', `${busy}%`);
  second.setAttribute('width', `${backpressured}%`);
  const idle = Math.max(0, 100 - busy - backpressured);
  setText(meter.querySelector('span'), shares === null ? '–' : `${busy}% · ${idle}% · ${backpressured}%`);
}

/** Draws values, oldest first, right-aligned over `slots` places; what is not known is drawn as none. */
export function drawCurve(svg, values, slots) {
  const { width, height } = svg.viewBox.baseVal;
  const known = values.map((value) => value ?? 0).slice(-slots);
  const top = Math.max(1, ...known) * 1.1;
  const x = (index) => width - ((known.length - 1 - index) * width) / (slots - 1);
  const y = (value) => height - 1 - (value / top) * (height - 2);
  const line = known.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join('L');
  const shape = known.length < 2 ? '' : `M${line}`;
  svg.querySelector('.line').setAttribute('d', shape);
  svg
    .querySelector('.area')
    .setAttribute('d', shape && `${shape}L${width},${height}L${x(0).toFixed(1)},${height}Z`);
}
