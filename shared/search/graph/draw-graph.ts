import type { EdgeType, Graph, GraphKind } from './graph.ts';

const DOT_SHAPES: Readonly<Record<GraphKind, string>> = {
  environment: 'house',
  resource: 'box',
  'resource-group': 'folder',
  template: 'note',
  external: 'ellipse',
};
const DOT_STYLES: Readonly<Record<EdgeType, string>> = {
  'depends-on': 'solid',
  contains: 'dashed',
  'made-from': 'dotted',
};
const MERMAID_ARROWS: Readonly<Record<EdgeType, string>> = {
  'depends-on': '-->',
  contains: '---',
  'made-from': '-.->',
};

/** A graph in the DOT language of Graphviz. Names stand in quoted labels alone; nodes go by numbers. */
export function toDot({ nodes, edges }: Graph): string {
  const numbers = new Map(nodes.map(({ id }, number) => [id, `n${number}`]));
  return [
    'digraph {',
    '  rankdir=LR;',
    ...nodes.map(
      ({ id, kind, name }) =>
        `  ${numbers.get(id)} [label=${dotText(`${name}\n${kind}`)}, tooltip=${dotText(id)}, shape=${DOT_SHAPES[kind]}];`,
    ),
    ...edges.map(
      ({ from, to, type }) =>
        `  ${numbers.get(from)} -> ${numbers.get(to)} [label=${dotText(type)}, style=${DOT_STYLES[type]}];`,
    ),
    '}\n',
  ].join('\n');
}

/** A graph as a flowchart of Mermaid. Names stand in quoted labels alone; nodes go by numbers. */
export function toMermaid({ nodes, edges }: Graph): string {
  const numbers = new Map(nodes.map(({ id }, number) => [id, `n${number}`]));
  return [
    'flowchart LR',
    ...nodes.map(
      ({ id, kind, name }) => `  ${numbers.get(id)}["${mermaidText(name)} (${mermaidText(kind)})"]`,
    ),
    ...edges.map(
      ({ from, to, type }) =>
        `  ${numbers.get(from)} ${MERMAID_ARROWS[type]}|"${mermaidText(type)}"| ${numbers.get(to)}`,
    ),
    '',
  ].join('\n');
}

/** A quoted string: a backslash would begin an escape such as `\N`, and a quotation mark would end it. */
function dotText(text: string): string {
  const escaped = text
    .replace(/[\\"]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replace(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, ' ');
  return `"${escaped}"`;
}

/** Everything but letters, digits and what means nothing to Mermaid or HTML anywhere is written by its number. */
function mermaidText(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, ' ')
    .replace(/[^\p{L}\p{N} .,_/-]/gu, (character) => `#${character.codePointAt(0)};`);
}
