import {
  type Dependency,
  type EnvironmentValue,
  environmentKey,
  environmentScope,
  GROUP_PREFIX,
  groupsPrefix,
  type ResourceGroupValue,
  type ResourceValue,
  resourcesPrefix,
  type TemplateValue,
  type TemplateVersionValue,
  templateScope,
  usersOfTemplate,
} from '../../environments/index.ts';
import type { Records } from '../../records/index.ts';
import {
  type EdgeType,
  type GraphEdge,
  type GraphKind,
  type GraphNode,
  type GraphRequest,
  MAX_GRAPH_NODES,
  nodeId,
} from './graph.ts';

/** As much of a namespace's graph as was looked at, each scope once. */
export class KnownGraph {
  readonly #records: Records;
  readonly #ns: string;
  readonly #nodes = new Map<string, GraphNode>();
  readonly #edges = new Map<string, GraphEdge>();
  readonly #from = new Map<string, GraphEdge[]>();
  readonly #to = new Map<string, GraphEdge[]>();
  readonly #read = new Set<string>();

  constructor(records: Records, ns: string) {
    this.#records = records;
    this.#ns = ns;
  }

  async has(kind: GraphKind, id: string): Promise<boolean> {
    await this.#readAround(nodeId(kind, id), 'dependencies');
    return this.#nodes.has(nodeId(kind, id));
  }

  async edgesOf(node: string, direction: GraphRequest['direction']): Promise<readonly GraphEdge[]> {
    await this.#readAround(node, direction);
    return (direction === 'dependencies' ? this.#from : this.#to).get(node) ?? [];
  }

  /** What is named and is not there goes by its id. */
  node(id: string): GraphNode {
    const [kind = '', ...rest] = id.split('/');
    return this.#nodes.get(id) ?? { id, kind: kind as GraphKind, name: rest.join('/') };
  }

  async #readAround(node: string, direction: GraphRequest['direction']): Promise<void> {
    const [kind, id = ''] = node.split('/');
    if (kind === 'template') {
      await this.#once('templates', () => this.#readTemplates());
      if (direction === 'dependents') {
        await this.#once(node, () => this.#readUsers(id));
      }
    } else if (kind !== 'external') {
      await this.#once(`environment/${id}`, () => this.#readEnvironment(id));
    }
  }

  async #once(what: string, read: () => Promise<void>): Promise<void> {
    if (!this.#read.has(what)) {
      this.#read.add(what);
      await read();
    }
  }

  async #readTemplates(): Promise<void> {
    const { records } = await this.#records.listAll<TemplateValue | TemplateVersionValue>(
      templateScope(this.#ns),
    );
    const latest = new Map<string, number>();
    for (const { key, value } of records) {
      const [, , id = '', ...rest] = key.split('/');
      if (rest.length === 0 && 'latest' in value) {
        latest.set(id, value.latest);
        this.#addNode('template', id, value.name);
      }
    }
    for (const { key, value } of records) {
      const [, , id = '', part] = key.split('/');
      if (part === 'versions' && 'version' in value && latest.get(id) === value.version) {
        for (const other of value.dependsOn ?? []) {
          this.#addEdge(nodeId('template', id), nodeId('template', other), 'depends-on');
        }
      }
    }
  }

  /** The environments that a template is used in, as many as can be shown. */
  async #readUsers(template: string): Promise<void> {
    let found = 0;
    for await (const page of usersOfTemplate(this.#records, this.#ns, template)) {
      for (const { id } of page) {
        await this.#once(`environment/${id}`, () => this.#readEnvironment(id));
      }
      found += page.length;
      if (found >= MAX_GRAPH_NODES) break;
    }
  }

  async #readEnvironment(id: string): Promise<void> {
    const { records } = await this.#records.listAll<unknown>(environmentScope(this.#ns, id));
    for (const { key, value } of records) {
      if (key === environmentKey(id)) {
        this.#addEnvironment(id, value as EnvironmentValue);
      } else if (key.startsWith(resourcesPrefix(id))) {
        this.#addResource(id, key.slice(resourcesPrefix(id).length), value as ResourceValue);
      } else if (key.startsWith(groupsPrefix(id))) {
        this.#addGroup(id, key.slice(groupsPrefix(id).length), value as ResourceGroupValue);
      }
    }
  }

  #addEnvironment(id: string, { name, templates }: EnvironmentValue): void {
    const node = this.#addNode('environment', id, name);
    for (const template of templates) {
      this.#addEdge(node, nodeId('template', template.id), 'made-from');
    }
  }

  #addResource(environment: string, id: string, { name, template, dependencies }: ResourceValue): void {
    const node = this.#addNode('resource', `${environment}/${id}`, name);
    this.#addPart(environment, node, template);
    this.#addDependencies(environment, node, dependencies);
  }

  #addGroup(environment: string, id: string, group: ResourceGroupValue): void {
    const node = this.#addNode('resource-group', `${environment}/${id}`, group.name);
    this.#addPart(environment, node, group.template);
    for (const resource of group.resources) {
      this.#addEdge(node, nodeId('resource', `${environment}/${resource}`), 'contains');
    }
    this.#addDependencies(environment, node, group.dependencies);
  }

  #addPart(environment: string, node: string, template: { readonly id: string } | undefined): void {
    this.#addEdge(nodeId('environment', environment), node, 'contains');
    if (template !== undefined) {
      this.#addEdge(node, nodeId('template', template.id), 'made-from');
    }
  }

  #addDependencies(environment: string, node: string, dependencies: readonly Dependency[]): void {
    for (const dependency of dependencies) {
      this.#addEdge(node, dependencyId(environment, dependency), 'depends-on');
    }
  }

  #addNode(kind: GraphKind, id: string, name: string): string {
    const node = nodeId(kind, id);
    this.#nodes.set(node, { id: node, kind, name });
    return node;
  }

  #addEdge(from: string, to: string, type: EdgeType): void {
    const key = JSON.stringify([from, to, type]);
    if (this.#edges.has(key)) return;
    const edge = { from, to, type };
    this.#edges.set(key, edge);
    addTo(this.#from, from, edge);
    addTo(this.#to, to, edge);
  }
}

/** `group:GROUP`, something outside, or else a resource of the same environment. */
function dependencyId(environment: string, dependency: Dependency): string {
  if (typeof dependency !== 'string') {
    return nodeId('external', dependency.external);
  }
  return dependency.startsWith(GROUP_PREFIX)
    ? nodeId('resource-group', `${environment}/${dependency.slice(GROUP_PREFIX.length)}`)
    : nodeId('resource', `${environment}/${dependency}`);
}

function addTo(edges: Map<string, GraphEdge[]>, node: string, edge: GraphEdge): void {
  const present = edges.get(node);
  if (present === undefined) {
    edges.set(node, [edge]);
  } else {
    present.push(edge);
  }
}
