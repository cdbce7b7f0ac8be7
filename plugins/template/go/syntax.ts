/**
 * What templates are made of: plain data, which a structured clone carries.
 *
 * @module
 */

/** A value that stands in a command. */
export type Operand =
  & { readonly at: number }
  & (
    | { readonly kind: "literal"; readonly value: string | number | boolean | null }
    /** `.A.B`, or `$name.A.B` where a variable is named: `""` is `$`, what the template was given. */
    | { readonly kind: "field"; readonly variable?: string; readonly path: readonly string[] }
    | { readonly kind: "function"; readonly name: string }
    /** `(pipeline).A.B` */
    | { readonly kind: "pipeline"; readonly pipeline: Pipeline; readonly path: readonly string[] }
  );

/** A function or a method with its arguments, or a value alone. */
export type Command = readonly Operand[];

/** Commands of which each is handed what the one before came to, as its last argument. */
export interface Pipeline {
  readonly at: number;
  readonly commands: readonly Command[];
  /** `$v := …` makes a variable, `$v = …` changes one. */
  readonly assign?: { readonly name: string; readonly declares: boolean };
}

/** A piece of a template. */
export type TemplateNode =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipeline: Pipeline }
  | {
    readonly kind: "if" | "with";
    readonly pipeline: Pipeline;
    readonly body: readonly TemplateNode[];
    readonly otherwise: readonly TemplateNode[];
  }
  | {
    readonly kind: "range";
    readonly pipeline: Pipeline;
    /** Names of the variables for the index and the element; of one alone, it is the element. */
    readonly variables: readonly string[];
    readonly body: readonly TemplateNode[];
    readonly otherwise: readonly TemplateNode[];
  }
  | { readonly kind: "break" }
  | { readonly kind: "continue" };

/** A template that cannot be read. */
export class TemplateError extends SyntaxError {
  override readonly name = "TemplateError";
  /** Which character is wrong, from 0. */
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/** Every operand in a template, those inside others too. */
export function* operandsOf(nodes: readonly TemplateNode[]): Generator<Operand> {
  for (const node of nodes) {
    if ("pipeline" in node) yield* operandsIn(node.pipeline);
    if ("body" in node) {
      yield* operandsOf(node.body);
      yield* operandsOf(node.otherwise);
    }
  }
}

/** Every command in a template, those inside others too. */
export function* commandsOf(nodes: readonly TemplateNode[]): Generator<Command> {
  for (const node of nodes) {
    if ("pipeline" in node) yield* commandsIn(node.pipeline);
    if ("body" in node) {
      yield* commandsOf(node.body);
      yield* commandsOf(node.otherwise);
    }
  }
}

function* commandsIn({ commands }: Pipeline): Generator<Command> {
  for (const command of commands) {
    yield command;
    for (const operand of command) if (operand.kind === "pipeline") yield* commandsIn(operand.pipeline);
  }
}

function* operandsIn(pipeline: Pipeline): Generator<Operand> {
  for (const command of commandsIn(pipeline)) yield* command;
}
