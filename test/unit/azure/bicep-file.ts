import { createRequire } from 'node:module';
import { Language, type Node, Parser } from 'web-tree-sitter';

/** What stands for an expression that is no literal: its text. */
export class Expression {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export interface ResourceDeclaration {
  readonly symbol: string;
  /** Such as `Microsoft.Web/sites`. */
  readonly type: string;
  readonly apiVersion: string;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface ModuleDeclaration {
  readonly symbol: string;
  readonly path: string;
  readonly params: ReadonlySet<string>;
}

export interface ParameterDeclaration {
  readonly isDescribed: boolean;
  /** Undefined where one has to be given. */
  readonly fallback: unknown;
  readonly isOptional: boolean;
}

/** What a file of Bicep declares, and what it uses. */
export interface BicepFile {
  readonly text: string;
  readonly syntaxFaults: readonly string[];
  readonly parameters: ReadonlyMap<string, ParameterDeclaration>;
  readonly variables: ReadonlyMap<string, unknown>;
  readonly resources: readonly ResourceDeclaration[];
  readonly modules: readonly ModuleDeclaration[];
  readonly outputs: ReadonlySet<string>;
  /** Properties of types that the file declares, by the type's name, each with whether it is described. */
  readonly types: ReadonlyMap<string, ReadonlyMap<string, boolean>>;
  /** Names that are taken from other files. */
  readonly imports: readonly { readonly name: string; readonly path: string }[];
  /** Names that loops and lambdas bring along. */
  readonly locals: ReadonlySet<string>;
  /** Names in expressions, functions and decorators. */
  readonly uses: ReadonlySet<string>;
  readonly functions: ReadonlySet<string>;
  /** `symbol.property` and `symbol.property.property` of every member that is asked for. */
  readonly members: ReadonlySet<string>;
  readonly strings: readonly string[];
}

const require = createRequire(import.meta.url);
await Parser.init();
const parser = new Parser().setLanguage(
  await Language.load(require.resolve('tree-sitter-bicep/tree-sitter-bicep.wasm')),
);

/** Reads a file of Bicep; one with faults as far as it can be read. */
export function parseBicep(text: string): BicepFile {
  const tree = parser.parse(text);
  if (tree === null) throw new Error('The parser has no language.');
  const root = tree.rootNode;
  const every = (type: string): Node[] => root.descendantsOfType(type).filter((node) => node !== null);
  const faulty = root.hasError ? [root, ...root.descendantsOfType(['ERROR'])] : [];
  const file = {
    text,
    syntaxFaults: faulty.flatMap((node) =>
      node?.isError ? [`line ${node.startPosition.row + 1}: ${node.text.slice(0, 60)}`] : [],
    ),
    parameters: new Map(every('parameter_declaration').map((node) => [nameOf(node), parameter(node)])),
    variables: new Map(every('variable_declaration').map((node) => [nameOf(node), literalOf(lastOf(node))])),
    resources: every('resource_declaration').map(resource),
    modules: every('module_declaration').map(module),
    outputs: new Set(every('output_declaration').map(nameOf)),
    types: new Map(every('type_declaration').map((node) => [nameOf(node), properties(node)])),
    imports: every('import_functionality').flatMap(imported),
    locals: new Set([
      ...every('for_statement').flatMap((node) => loopNames(node)),
      ...every('lambda_expression').flatMap(({ namedChildren: [name] }) => name?.text ?? []),
    ]),
    uses: new Set(
      every('identifier')
        .filter(isUse)
        .map(({ text: name }) => name),
    ),
    functions: new Set(
      every('call_expression').flatMap((node) => node.childForFieldName('function')?.text ?? []),
    ),
    members: new Set(every('member_expression').map(({ text: path }) => path.replaceAll('?', ''))),
    strings: every('string').map(({ text: quoted }) => quoted),
  };
  // A missing token is no node of the type ERROR.
  if (root.hasError && file.syntaxFaults.length === 0) file.syntaxFaults.push('something is missing');
  tree.delete();
  return file;
}

/** A literal as JavaScript has it; an {@link Expression} for what is none. */
export function literalOf(node: Node | undefined): unknown {
  switch (node?.type) {
    case 'string':
      return node.descendantsOfType('interpolation').length > 0
        ? new Expression(node.text)
        : node.text.replaceAll(/^'{1,3}\n?|'{1,3}$/g, '');
    case 'number':
      return Number(node.text);
    case 'boolean':
      return node.text === 'true';
    case 'null':
      return null;
    case 'array':
      return node.namedChildren
        .filter((child) => child?.type !== 'comment')
        .map((child) => literalOf(child ?? undefined));
    case 'object':
      return objectOf(node);
    default:
      return new Expression(node?.text ?? '');
  }
}

function objectOf(node: Node): Record<string, unknown> {
  const entries = node.namedChildren.flatMap((child) =>
    child?.type === 'object_property' ? [[keyOf(child), literalOf(lastOf(child))] as const] : [],
  );
  return Object.fromEntries(entries);
}

function keyOf(property: Node): string {
  return (property.namedChildren[0]?.text ?? '').replaceAll("'", '');
}

function nameOf(declaration: Node): string {
  return declaration.namedChildren.find((child) => child?.type === 'identifier')?.text ?? '';
}

function lastOf(node: Node): Node | undefined {
  return node.namedChildren.filter((child) => child?.type !== 'comment').at(-1) ?? undefined;
}

function parameter(node: Node): ParameterDeclaration {
  const last = lastOf(node);
  const hasFallback = node.children.some((child) => child?.type === '=');
  return {
    isDescribed: isDescribed(node),
    fallback: hasFallback ? literalOf(last) : undefined,
    isOptional: hasFallback || last?.type === 'nullable_type',
  };
}

function isDescribed(node: Node): boolean {
  const before = node.previousNamedSibling;
  return before?.type === 'decorators' && /@description\('.{3,}'\)/.test(before.text);
}

function properties(node: Node): Map<string, boolean> {
  return new Map(
    node
      .descendantsOfType('object_property')
      .flatMap((child) => (child ? [[keyOf(child), isDescribed(child)]] : [])),
  );
}

function bodyOf(node: Node): Node | undefined {
  const direct = node.namedChildren.find((child) => child?.type === 'object');
  return direct ?? node.descendantsOfType('object').find((child) => child !== null) ?? undefined;
}

function resource(node: Node): ResourceDeclaration {
  const [type = '', apiVersion = ''] = quotedOf(node).split('@');
  const body = bodyOf(node);
  return { symbol: nameOf(node), type, apiVersion, text: node.text, body: body ? objectOf(body) : {} };
}

function module(node: Node): ModuleDeclaration {
  const body = bodyOf(node);
  const { params = {} } = body ? objectOf(body) : {};
  return { symbol: nameOf(node), path: quotedOf(node), params: new Set(Object.keys(params as object)) };
}

function imported(node: Node): { name: string; path: string }[] {
  const names = node.namedChildren.filter((child) => child?.type === 'identifier');
  return names.flatMap((child) => (child === null ? [] : [{ name: child.text, path: quotedOf(node) }]));
}

function quotedOf(node: Node): string {
  return (node.namedChildren.find((child) => child?.type === 'string')?.text ?? '').replaceAll("'", '');
}

function loopNames(node: Node): string[] {
  const initializer = node.childForFieldName('initializer');
  const both = node.descendantsOfType(['loop_variable', 'loop_enumerator']);
  return [...both, initializer].flatMap((child) => child?.text ?? []);
}

const DECLARATIONS: ReadonlySet<string | undefined> = new Set([
  'parameter_declaration',
  'variable_declaration',
  'resource_declaration',
  'module_declaration',
  'output_declaration',
  'type_declaration',
  'metadata_declaration',
]);

/** Whether a name is asked for, and not given: to a declaration, a property, a loop or a lambda. */
function isUse(node: Node): boolean {
  const { parent } = node;
  if (parent === null) return false;
  const [first] = parent.namedChildren;
  const isFirst = first?.id === node.id;
  if (parent.type === 'call_expression') return parent.childForFieldName('function')?.id !== node.id;
  if (DECLARATIONS.has(parent.type)) return !isFirst;
  if (parent.type === 'import_functionality') return false;
  return !(isFirst && ['object_property', 'lambda_expression'].includes(parent.type));
}
