import { type Caller, getCaller } from './access/access.ts';
import { Roles } from './access/roles.ts';
import { Tokens } from './access/tokens.ts';
import { Audit } from './audit.ts';
import { Bundles } from './bundles/bundles.ts';
import { Apps } from './config/apps.ts';
import type { ConfigSchema } from './config/config-schema.ts';
import { type ConfigOptions, LiveConfig } from './config/live-config.ts';
import { Election } from './election/election.ts';
import { Elections } from './election/elections.ts';
import { EnvironmentParts, type PartFilter, type ResourceFilter } from './environments/environment-parts.ts';
import { Environments } from './environments/environments.ts';
import type { Resource, ResourceGroup, ResourceGroupInput, ResourceInput } from './environments/resource.ts';
import { Templates } from './environments/templates.ts';
import { History } from './history.ts';
import { Commands } from './operations/commands.ts';
import { Operations } from './operations/operations.ts';
import { Registry } from './registry/registry.ts';
import { type DiscoverOptions, ServiceView } from './registry/service-view.ts';
import { Services } from './registry/services.ts';
import { Graph } from './search/graph.ts';
import { Search } from './search/search.ts';
import type { Content } from './store/content.ts';
import { Store } from './store/store.ts';
import { systemTiming, type Timing } from './transport/timing.ts';
import { type CallOptions, checkToken, type TokenSource, Transport } from './transport/transport.ts';
import { type WatchEvent, type WatchOptions, watch } from './watch/watch.ts';
import { DeadLetters } from './webhooks/dead-letters.ts';
import { Webhooks } from './webhooks/webhooks.ts';

export interface SkerryOptions {
  /** Where Skerry answers, such as `http://127.0.0.1:7071`. */
  readonly url: string;
  /** Sent as a bearer token; one that changes is asked for before each call, so it is for the source to keep it. */
  readonly token?: string | TokenSource | undefined;
  /** The namespace; `default` without. */
  readonly ns?: string | undefined;
  /** Sends the requests; the global `fetch` unless told. */
  readonly fetch?: typeof fetch | undefined;
  /** Milliseconds for one attempt; 10,000 unless told. */
  readonly attemptTimeout?: number | undefined;
  /** Milliseconds for a call with its retries; 30,000 unless told. */
  readonly timeout?: number | undefined;
  /** Time and chance, for tests. */
  readonly timing?: Timing | undefined;
}

/** Skerry's API, typed; and what lives on it. */
export class SkerryClient {
  readonly apps: Apps;
  readonly services: Services;
  readonly history: History;
  readonly audit: Audit;
  readonly elections: Elections;
  readonly registry: Registry;
  readonly webhooks: Webhooks;
  readonly deadLetters: DeadLetters;
  readonly bundles: Bundles;
  readonly search: Search;
  readonly graph: Graph;
  readonly templates: Templates;
  readonly environments: Environments;
  readonly resources: EnvironmentParts<Resource, ResourceInput, ResourceFilter>;
  readonly resourceGroups: EnvironmentParts<ResourceGroup, ResourceGroupInput, PartFilter>;
  readonly commands: Commands;
  readonly operations: Operations;
  readonly tokens: Tokens;
  readonly roles: Roles;
  readonly #ns: string;
  readonly #transport: Transport;

  /** @throws TypeError for a `url` or `token` that cannot be used. */
  constructor(options: SkerryOptions) {
    // In a page, an address may be relative to it.
    if (!/^(https?:\/\/|\/|$)/i.test(options.url)) {
      throw new TypeError(`The URL must be one such as http://127.0.0.1:7071, not "${options.url}".`);
    }
    if (typeof options.token === 'string') checkToken(options.token);
    this.#transport = new Transport({
      url: options.url.replace(/\/+$/, ''),
      token: options.token,
      ns: options.ns,
      // A method of the window that is called without it fails.
      fetch: options.fetch ?? ((input, init) => fetch(input, init)),
      attemptTimeout: options.attemptTimeout ?? 10_000,
      timeout: options.timeout ?? 30_000,
      timing: options.timing ?? systemTiming,
    });
    this.apps = new Apps(this.#transport);
    this.services = new Services(this.#transport);
    this.history = new History(this.#transport);
    this.audit = new Audit(this.#transport);
    this.elections = new Elections(this.#transport);
    this.registry = new Registry(this.services, this.#transport.timing);
    this.webhooks = new Webhooks(this.#transport);
    this.deadLetters = new DeadLetters(this.#transport);
    this.bundles = new Bundles(this.#transport);
    this.search = new Search(this.#transport);
    this.graph = new Graph(this.#transport);
    this.templates = new Templates(this.#transport);
    this.environments = new Environments(this.#transport);
    this.resources = new EnvironmentParts('resources', this.#transport);
    this.resourceGroups = new EnvironmentParts('resource-groups', this.#transport);
    this.tokens = new Tokens(this.#transport);
    this.roles = new Roles(this.#transport);
    this.#ns = options.ns ?? 'default';
    this.commands = new Commands(this.#transport, this.#ns);
    this.operations = new Operations(this.#transport, this.#ns);
  }

  /** Who calls, and what they may do. */
  async whoami(options: CallOptions = {}): Promise<Caller> {
    return await getCaller(this.#transport, options);
  }

  /** A key-value store; it comes into being with its first key. */
  store(name: string): Store {
    return new Store(name, this.#transport);
  }

  /**
   * Follows everything under a key prefix, such as `/kv/agent1/config/`, `/srv/web`, `/app` or `/`: a resync, then changes.
   *
   * @throws SkerryProblem when Skerry refuses for good, or the reason of `options.signal`.
   */
  watch<Value extends Content = Content>(
    prefix: string,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<Value>, void, undefined> {
    return watch<Value>(this.#transport, prefix, options);
  }

  /** The instances of a service in memory, kept current. */
  discover(service: string, options: DiscoverOptions = {}): ServiceView {
    return new ServiceView(service, this.#transport, options);
  }

  /**
   * The configuration of an application, checked by a schema of zod or any other that is a Standard Schema or has `parse`, and kept current.
   *
   * @throws InvalidConfig when nothing good is known of it; SkerryProblem (`not-found` where there is no such application) or
   *   SkerryUnreachable when Skerry does not give it out, and `options.lastGood` has none.
   */
  async config<Value>(
    app: string,
    schema: ConfigSchema<Value>,
    options: ConfigOptions = {},
  ): Promise<LiveConfig<Value>> {
    return await LiveConfig.open(app, this.#ns, schema, this.#transport, options);
  }

  /** An election; it comes into being with its first campaign. */
  election(name: string): Election {
    return new Election(name, this.elections, this.#transport.timing);
  }
}
