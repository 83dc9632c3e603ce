// Numbers and differences in words.

const NUMBER = new Intl.NumberFormat("en");

export function bytes(count) {
  return count === 1 ? "1 byte" : `${NUMBER.format(count)} bytes`;
}

export function many(count, one, several = `${one}s`) {
  return `${NUMBER.format(count)} ${count === 1 ? one : several}`;
}

/** What each class of bytes is called, and means. In the order of the legend. */
export const CLASSES = [
  ["live", "live", "the newest record of a key"],
  ["dead", "dead", "overwritten or deleted since"],
  ["tombstone", "tombstone", "says that a key is deleted"],
  ["frame", "frame", "what a format needs around its records"],
  ["reserve", "reserve", "space for records to come"],
  ["loose", "not in the store", "a copy under way, or left behind"],
  ["torn", "unreadable", "unfinished or damaged"],
  ["unread", "not read", "there is too much of it"],
];

export const nameOf = (kind) => CLASSES.find(([name]) => name === kind)?.[1] ?? kind;

/** A short name of a file: `segment 3` for `segment-0000000003.log`, `table 4` for `0000000004.table`. */
export function shortName(name) {
  const [, count, kind] = /^0*(\d+)\.(log|table)$/.exec(name) ?? [];
  if (kind) {
    return `${kind} ${count}`;
  }
  const [, what, number] = /^(\w+)-0*(\d+)\.(?:log|aof|snapshot)$/.exec(name) ?? [];
  return what ? `${what === "appendonly" ? "log" : what} ${number}` : name;
}

/** How long a file is without the space that is reserved in it. */
export const used = (file) => file.bytes - file.totals.reserve;

const id = (file, record) => `${file.name}@${record.at}`;

/** The records of keys, by where they lie. */
function recordsOf(layout) {
  const all = new Map();
  for (const file of layout.files) {
    for (const record of file.records) {
      if (record.key !== undefined) {
        all.set(id(file, record), { ...record, file: file.name });
      }
    }
  }
  return all;
}

/** What a step changed, a line each. */
export function differences(before, after) {
  if (!before) {
    return [];
  }
  const lines = [];
  const [old, now] = [recordsOf(before), recordsOf(after)];
  const files = (layout) => new Map(layout.files.map((file) => [file.name, file]));
  const [oldFiles, nowFiles] = [files(before), files(after)];
  const come = [...now].filter(([place]) => !old.has(place)).map(([, record]) => record);
  const gone = [...old].filter(([place]) => !now.has(place)).map(([, record]) => record);
  const isMoved = (record) =>
    gone.some((other) => other.key === record.key && other.sequence === record.sequence && other.kind !== "delete") &&
    gone.length > 1;
  for (const record of come.slice(-6)) {
    const where = `${shortName(record.file)}, at ${record.at}`;
    // A table is written once, from what a memtable or other tables had.
    const isCopy = isMoved(record) || record.class === "loose" || record.file.endsWith(".table");
    const verb = isCopy ? "copied" : "appended";
    const value = record.value === undefined ? "" : ` = ${record.value}`;
    lines.push(["come", `${verb}: ${record.kind} ${record.key}${value}, ${bytes(record.len)}, to ${where}`]);
  }
  if (come.length > 6) {
    lines.push(["come", `and ${many(come.length - 6, "record")} more before`]);
  }
  for (const [place, record] of now) {
    const was = old.get(place)?.class;
    if (was && was !== record.class) {
      const value = record.value === undefined ? "" : ` = ${record.value}`;
      lines.push([record.class, `${record.key}${value} was ${nameOf(was)}, and is ${nameOf(record.class)}`]);
    }
  }
  for (const [name, file] of nowFiles) {
    if (!oldFiles.has(name)) {
      lines.push(["come", `new file: ${name}, ${bytes(used(file))}`]);
    }
  }
  for (const [name, file] of oldFiles) {
    if (!nowFiles.has(name)) {
      lines.push(["gone", `removed: ${name}, ${bytes(file.bytes)}`]);
    }
  }
  const lost = gone.filter((record) => nowFiles.has(record.file));
  if (lost.length) {
    lines.push(["gone", `${many(lost.length, "record")} gone from the end: ${lost.map((r) => r.key).join(", ")}`]);
  }
  return lines;
}

/** The length of each file before and after, without its reserve, as rows of name, before, after and difference. */
export function sizes(before, after) {
  const names = [...new Set([...(before?.files ?? []), ...after.files].map((file) => file.name))].sort();
  const length = (layout, name) => {
    const found = layout?.files.find((file) => file.name === name);
    return found && used(found);
  };
  return names.map((name) => {
    const [old, now] = [length(before, name), length(after, name)];
    return { name, old, now, change: (now ?? 0) - (old ?? 0) };
  });
}

/** A difference with its sign. */
export function signed(change) {
  return change === 0 ? "±0" : `${change > 0 ? "+" : "−"}${NUMBER.format(Math.abs(change))}`;
}

export const number = (count) => (count === undefined ? "–" : NUMBER.format(count));
