/**
 * Reads TAP 14 as `tap --reporter=tap` prints it, line by line: files at the margin, the tests of a file one step (four
 * spaces) in. Counts tests, not assertions. A file that fails without a failing test of its own (it crashed, timed out,
 * or ran nothing) counts as one failed test, so that nothing broken can add up to a pass.
 */
export function createTapSummary() {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  /** Depth of the YAML block that the reader is in, -1 outside. Its text may look like TAP. */
  let yamlIndent = -1;
  let file = emptyFile();

  function push(line) {
    file.lines.push(line);
    const text = line.trimStart();
    const indent = line.length - text.length;
    if (yamlIndent >= 0) {
      if (text === '...' && indent === yamlIndent) yamlIndent = -1;
      return null;
    }
    if (text === '---') {
      yamlIndent = indent;
      return null;
    }
    const point = /^(not )?ok \d+(?: - (.*))?$/.exec(text);
    if (point === null || indent > 4) return null;
    const failed = point[1] !== undefined;
    const { title, directive } = splitDirective(point[2] ?? '');
    if (indent === 4) {
      count(file, failed, directive, title);
      return null;
    }
    return endFile(title, failed, directive);
  }

  /** The point at the margin ends a file; the YAML after it belongs to nobody and is dropped with the next file. */
  function endFile(name, failed, directive) {
    if (directive === 'skip' || (file.passed + file.failed + file.skipped === 0 && !failed)) {
      file.failed += 1;
      file.lines.push('    no tests ran in this file');
    } else if (failed && file.failed === 0) {
      file.failed += 1;
    }
    totals.passed += file.passed;
    totals.failed += file.failed;
    totals.skipped += file.skipped;
    const ended = { name, ...file };
    file = emptyFile();
    return ended;
  }

  return { push, totals };
}

/** The line that CI reads. */
export function summaryLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Tests of real servers may not skip: their absence is a failure of the set-up, not a result. */
export function mayNotSkip(file) {
  return /\.(redis|postgres|browser)\.test\.ts$/.test(file);
}

function count(file, failed, directive, title) {
  if (directive === 'skip' || directive === 'todo') {
    file.skipped += 1;
    file.skippedTitles.push(title);
  } else if (failed) file.failed += 1;
  else file.passed += 1;
}

function emptyFile() {
  return { passed: 0, failed: 0, skipped: 0, skippedTitles: [], lines: [] };
}

function splitDirective(description) {
  const match = /^(.*?)\s*(?<!\\)# (SKIP|TODO|time=)/i.exec(description);
  const directive = match?.[2]?.toLowerCase() ?? '';
  return { title: (match?.[1] ?? description).trim(), directive: directive === 'time=' ? '' : directive };
}
