import type { Clock } from '../platform/clock.ts';
import { notFound, type SkerryError } from '../platform/errors.ts';
import { type Author, canonicalPath } from '../platform/http/index.ts';
import { jsonEquals } from '../platform/json-equals.ts';
import type { Json, Records, Scope, StoredRecord } from '../records/index.ts';
import {
  type AgentDescription,
  type AgentDocument,
  afterDescription,
  afterReport,
  agentDocumentSchema,
  type PluginDocument,
  type PluginReport,
  pluginDocumentSchema,
  toJson,
} from './agent-status.ts';

export interface AgentAddress {
  readonly ns: string;
  /** cn-infra's microservice label; the name of the agent's store. */
  readonly label: string;
}

/** How an agent and its plugins are. */
export interface AgentStatus {
  readonly agent: AgentDocument;
  readonly plugins: ReadonlyMap<string, PluginDocument>;
  /** Revision of the agent's document. */
  readonly revision: number;
}

/** The status of agents, in their own stores. All methods throw SkerryError `unavailable`. */
export class Agents {
  readonly #records: Records;
  readonly #clock: Clock;

  constructor(records: Records, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  /** Undefined when nothing is known of the agent. */
  async get(address: AgentAddress): Promise<AgentStatus | undefined> {
    const prefix = statusKey(address, '');
    const { records } = await this.#records.list<Json>(scopeOf(address), { prefix });
    const record = records.find(({ key }) => key === statusKey(address, 'agent'));
    const agent = readAgent(record);
    if (record === undefined || agent === undefined) {
      return undefined;
    }
    const byKey = new Map(records.map((one) => [one.key, one]));
    const plugins = agent.plugins.map(({ name, ...listed }): [string, PluginDocument] => [
      name,
      readPlugin(byKey.get(pluginKey(address, name))) ?? { ...listed, last_change: 0, last_update: 0 },
    ]);
    return { agent, plugins: new Map(plugins), revision: record.revision };
  }

  /** Publishes what an agent says of itself. */
  async describe(address: AgentAddress, description: AgentDescription, author: Author): Promise<void> {
    const now = this.#now();
    await this.#records.commit<Json>(scopeOf(address), {
      key: statusKey(address, 'agent'),
      ...author,
      decide: (current) => {
        const before = readAgent(current);
        const after = afterDescription(before, description, now);
        const isSame =
          before !== undefined && jsonEquals({ ...after, last_update: 0 }, { ...before, last_update: 0 });
        return isSame ? { type: 'keep' } : { type: 'put', value: toJson(after) as Json };
      },
    });
  }

  /** Publishes a plugin's report and what follows from it for the agent, together; nothing where they say so already. */
  async report(address: AgentAddress, plugin: string, report: PluginReport, author: Author): Promise<void> {
    const agentKey = statusKey(address, 'agent');
    const reportKey = pluginKey(address, plugin);
    const now = this.#now();
    await this.#records.transact<Json>(scopeOf(address), {
      keys: [agentKey, reportKey],
      ...author,
      decide: (current) => {
        const before = {
          agent: readAgent(current.get(agentKey)),
          plugin: readPlugin(current.get(reportKey)),
        };
        const after = afterReport(before, plugin, report, now);
        return {
          writes:
            after === undefined
              ? []
              : [
                  { key: reportKey, decision: { type: 'put', value: toJson(after.plugin) as Json } },
                  { key: agentKey, decision: { type: 'put', value: toJson(after.agent) as Json } },
                ],
        };
      },
    });
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

/** The error for an agent that nothing is known of. */
export function unknownAgent({ ns, label }: AgentAddress): SkerryError {
  return notFound(`Nothing is known of an agent "${label}".`, {
    fix: `It reports with PUT ${canonicalPath(ns, `status/${label}`)}, or one of its plugins does.`,
  });
}

function scopeOf({ ns, label }: AgentAddress): Scope {
  return { ns, kind: 'kv', name: label };
}

function statusKey({ label }: AgentAddress, rest: string): string {
  return `/kv/${label}/check/status/v1/${rest}`;
}

function pluginKey(address: AgentAddress, name: string): string {
  return statusKey(address, `plugin/${name}`);
}

/** What stands there may have been written by anybody; what is no status counts as none. */
function readAgent(record: StoredRecord<Json> | undefined): AgentDocument | undefined {
  return agentDocumentSchema.safeParse(record?.value).data;
}

function readPlugin(record: StoredRecord<Json> | undefined): PluginDocument | undefined {
  return pluginDocumentSchema.safeParse(record?.value).data;
}
