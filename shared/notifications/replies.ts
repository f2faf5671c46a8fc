import type { ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import { OPERATION_KIND, type OperationValue, operationKey } from '../operations/index.ts';
import { mapConcurrently } from '../platform/map-concurrently.ts';
import { RecentMap } from '../platform/recent-map.ts';
import { parseScopeId, type Records } from '../records/index.ts';
import {
  type Publication,
  REPLY_SUBSCRIPTION,
  type ToldChange,
  type UnpublishedChange,
} from '../webhooks/index.ts';
import { notificationMessage, shortId } from './notification-message.ts';
import { lastingFault, sendChanges } from './send-changes.ts';

export interface RepliesOptions {
  readonly records: Records;
  /** Opens a sender to a queue or topic. */
  readonly open: (target: string) => Promise<ServiceBusSender>;
  readonly publicUrl: string | undefined;
}

/** Where changes of an operation are sent; none where nobody asked. */
interface Address {
  readonly operation: string;
  readonly target: string | undefined;
  /** The id that the sender gave the command. */
  readonly command: string;
}

interface Addressed {
  readonly told: ToldChange;
  readonly address: Address;
}

/** Operations whose address a process remembers: it never changes. */
const MAX_ADDRESSES = 10_000;
/** Senders that a process keeps open. */
const MAX_SENDERS = 100;
const TARGETS_AT_ONCE = 16;
/** How long, in milliseconds, a target may keep everybody waiting; what it did not take then is tried again apart from the others. */
const TIMEOUT_MILLISECONDS = 5_000;

/** Tells the queue or topic that a command names as `replyto` how its operation goes: each of its changes, and those of its steps. */
export class Replies implements Publication {
  readonly id = REPLY_SUBSCRIPTION;
  readonly #options: RepliesOptions;
  readonly #addresses = new RecentMap<string, Address>(MAX_ADDRESSES);
  /** In order of use, the most recent last. */
  readonly #senders = new Map<string, Promise<ServiceBusSender>>();

  constructor(options: RepliesOptions) {
    this.#options = options;
  }

  /**
   * Sends those of the changes that somebody wants to hear of.
   *
   * @returns those that their target does not take, now or as things stand.
   * @throws SkerryError `unavailable` when the database does not answer.
   */
  async publish(changes: readonly ToldChange[]): Promise<readonly UnpublishedChange[]> {
    const addressed: Addressed[] = [];
    for (const told of changes) {
      const address = await this.#addressOf(told);
      if (address?.target !== undefined) {
        addressed.push({ told, address });
      }
    }
    const byTarget = Map.groupBy(addressed, ({ address }) => address.target ?? '');
    const unpublished = await mapConcurrently([...byTarget], TARGETS_AT_ONCE, ([target, some]) =>
      this.#send(target, some),
    );
    return unpublished.flat();
  }

  /** Of what is about an operation; that it is forgotten one day is no news of it. */
  async #addressOf({ scope, change }: ToldChange): Promise<Address | undefined> {
    const { kind, name: operation } = parseScopeId(scope);
    if (kind !== OPERATION_KIND || change.type !== 'put') {
      return undefined;
    }
    const known = this.#addresses.get(scope);
    if (known !== undefined) {
      return known;
    }
    const key = operationKey(operation);
    const value =
      change.key === key
        ? (change.value as unknown as OperationValue)
        : (await this.#options.records.get<OperationValue>(parseScopeId(scope), key))?.value;
    if (value === undefined) {
      return undefined;
    }
    const address = { operation, target: value.replyTo, command: value.command.id };
    this.#addresses.set(scope, address);
    return address;
  }

  async #send(target: string, addressed: readonly Addressed[]): Promise<readonly UnpublishedChange[]> {
    const addresses = new Map(addressed.map(({ told, address }) => [told, address]));
    const unpublished = await sendChanges([...addresses.keys()], {
      sender: () => this.#sender(target),
      write: (told, withValues) => this.#write(told, addresses.get(told), withValues),
      explain: (error) => explain(error, target),
      timeoutMilliseconds: TIMEOUT_MILLISECONDS,
    });
    if (unpublished.length > 0) {
      await this.#close(target);
    }
    return unpublished;
  }

  /** As on the topic; the session is the operation, for targets that want one. */
  #write(told: ToldChange, address: Address | undefined, withValues: boolean): ServiceBusMessage {
    const message = notificationMessage(told, { withValues, publicUrl: this.#options.publicUrl });
    return address === undefined
      ? message
      : { ...message, sessionId: address.operation, correlationId: shortId(address.command) };
  }

  async #sender(target: string): Promise<ServiceBusSender> {
    const sender = this.#senders.get(target) ?? this.#options.open(target);
    this.#senders.delete(target);
    this.#senders.set(target, sender);
    const [leastRecent = target] = this.#senders.keys();
    if (this.#senders.size > MAX_SENDERS) {
      await this.#close(leastRecent);
    }
    return await sender;
  }

  /** What goes wrong while something is closed is nobody's loss. */
  async #close(target: string): Promise<void> {
    const sender = this.#senders.get(target);
    this.#senders.delete(target);
    await sender?.then((open) => open.close()).catch(() => undefined);
  }
}

function explain(error: unknown, target: string): Omit<UnpublishedChange, 'told'> {
  const reason = lastingFault(error, {
    full: `The queue or topic "${target}" is full.`,
    missing: `There is no queue or topic "${target}".`,
    disabled: `The queue or topic "${target}" is disabled.`,
    forbidden: `This app may not send to "${target}".`,
  });
  return reason === undefined
    ? { reason: `"${target}" did not take it: ${String(error)}`, isPassing: true }
    : { reason };
}
