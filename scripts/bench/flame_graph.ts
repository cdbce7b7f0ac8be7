/**
 * Stacks that perf(1) has sampled, as a picture: every box is a function, as wide as the share of samples that had it on
 * the stack, above who called it.
 *
 * @module
 */

/** Stacks by how often they were sampled: `thread;outermost;…;innermost`. */
export type Folded = ReadonlyMap<string, number>;

/** Folds the output of `perf script -F comm,tid,ip,sym,dso`: samples apart by blank lines, innermost frames first. */
export function foldStacks(script: string): Folded {
  const folded = new Map<string, number>();
  for (const sample of script.split(/\n\s*\n/)) {
    const [head, ...lines] = sample.split("\n").filter((line) => line.trim() !== "");
    if (head === undefined || lines.length === 0) continue;
    const thread = head.trim().replace(/\s+\d+$/, "");
    const frames = lines.map(frameOf).reverse();
    // Of neighbours without a name one is enough.
    const named = frames.filter((frame, i) => !frame.startsWith("[") || frame !== frames[i - 1]);
    const stack = [thread, ...named].join(";");
    folded.set(stack, (folded.get(stack) ?? 0) + 1);
  }
  return folded;
}

/** What a frame is called: of code that V8 has made, the function and where it stands; without a name, its file. */
function frameOf(line: string): string {
  const [, symbol = "", object = ""] = /^\s*[0-9a-f]+ (.*) \(([^()]*)\)$/.exec(line) ?? [];
  const script =
    /^(?:JS|LazyCompile|Function|Script):[*~^'+]*(.*?) ?(?:file:\/\/\S*?\/)?((?:core|plugins|scripts)\/\S+|main\.ts\S*|ext:\S+)$/
      .exec(symbol);
  if (script) return `${script[1] || "(anonymous)"} ${script[2]!.replace(/:\d+$/, "")}`.replaceAll(";", ",");
  if (symbol === "[unknown]" || symbol === "") return `[${object.slice(object.lastIndexOf("/") + 1)}]`;
  return `${symbol.replace(/\+0x[0-9a-f]+$/, "")}${object.startsWith("[kernel") ? " [kernel]" : ""}`
    .replaceAll(";", ",");
}

interface Box {
  readonly name: string;
  count: number;
  readonly above: Map<string, Box>;
}

function boxesOf(folded: Folded): Box {
  const root: Box = { name: "all", count: 0, above: new Map() };
  for (const [stack, count] of folded) {
    let box = root;
    box.count += count;
    for (const name of stack.split(";")) {
      let next = box.above.get(name);
      if (next === undefined) box.above.set(name, next = { name, count: 0, above: new Map() });
      next.count += count;
      box = next;
    }
  }
  return root;
}

const WIDTH = 1600, ROW = 17, LETTER = 6.6;

/** Below so many pixels a box is left out. */
const NARROWEST = 0.4;

/** The picture, an SVG document. Names show in full where the pointer rests. */
export function flameGraph(folded: Folded, title: string): string {
  const root = boxesOf(folded), shapes: string[] = [];
  let depth = 0;
  const draw = (box: Box, x: number, row: number) => {
    const width = box.count / root.count * WIDTH;
    if (width < NARROWEST) return;
    depth = Math.max(depth, row);
    shapes.push(shapeOf(box, x, row, width, box.count / root.count));
    let at = x;
    for (const next of [...box.above.values()].sort((a, b) => a.name < b.name ? -1 : 1)) {
      draw(next, at, row + 1);
      at += next.count / root.count * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = (depth + 3) * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"
  font-family="monospace" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
<text x="8" y="14">${escape(title)}</text>
<g transform="translate(0 ${height - ROW})">
${shapes.join("\n")}
</g>
</svg>
`;
}

function shapeOf({ name, count }: Box, x: number, row: number, width: number, share: number): string {
  const letters = Math.floor((width - 4) / LETTER), y = -row * ROW;
  const label = letters < 3 ? "" : name.length <= letters ? name : `${name.slice(0, letters - 1)}…`;
  const tip = `${name}: ${(100 * share).toFixed(2)} %, ${count} samples`;
  return `<g><title>${escape(tip)}</title><rect x="${x.toFixed(1)}" y="${y}" width="${
    width.toFixed(1)
  }" height="${ROW - 1}" fill="${colourOf(name)}"/>${
    label && `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escape(label)}</text>`
  }</g>`;
}

/** The kernel blue, scripts green, the rest of the runtime grey. */
function colourOf(name: string): string {
  if (name.endsWith("[kernel]")) return "#9cc4e4";
  if (/ (core|plugins|scripts|main)\S*:\d+$/.test(name)) return "#a8d8a0";
  if (/ ext:/.test(name)) return "#f2d28c";
  return "#d8d8d8";
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Where time goes by function itself, not by what it calls: the first `count`, as shares. */
export function hottest(folded: Folded, count: number): [name: string, share: number][] {
  return sharesBy(folded, (stack) => stack.slice(stack.lastIndexOf(";") + 1)).slice(0, count);
}

/** Where time goes by thread, as shares. */
export function byThread(folded: Folded): [name: string, share: number][] {
  return sharesBy(folded, (stack) => stack.slice(0, stack.indexOf(";")));
}

/** The most first. */
function sharesBy(folded: Folded, nameOf: (stack: string) => string): [name: string, share: number][] {
  const counts = new Map<string, number>();
  let all = 0;
  for (const [stack, count] of folded) {
    counts.set(nameOf(stack), (counts.get(nameOf(stack)) ?? 0) + count);
    all += count;
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => [name, count / all]);
}
