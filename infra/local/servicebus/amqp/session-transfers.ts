import type { Sender, Typed } from 'rhea';
import { ServiceBusError } from '../service-bus-error.ts';
import {
  type AnsweredDelivery,
  acceptedState,
  type DispositionFrame,
  type RheaDelivery,
  type RheaSender,
  type RheaSession,
  rejectedState,
} from './rhea-internals.ts';

/** Does what the receiver's disposition asks; an error becomes the answer `rejected`. */
type Settle = (state: Typed) => Promise<void>;

interface Awaiting {
  readonly link: Sender;
  readonly settle: Settle;
}

/** Any format but 0, which rhea decodes before anyone sees the bytes. */
const RAW_FORMAT = 1;

/**
 * Sends deliveries on a session and answers their dispositions in rhea's place. rhea keeps an unsettled delivery in a
 * ring buffer until both sides have settled it, in order; one that a client never settles (its lock expired) would
 * stop the session once the buffer is full. So rhea forgets a delivery as soon as it is on the wire.
 */
export class SessionTransfers {
  readonly #session: RheaSession;
  readonly #awaiting = new Map<number, Awaiting>();
  #newestId = -1;
  /** In the order of their ids. */
  #unsent: RheaDelivery[] = [];
  readonly #unsentOn = new WeakMap<RheaDelivery['link'], number>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #closing = new WeakSet<RheaDelivery['link']>();

  constructor(session: RheaSession) {
    this.#session = session;
    keepTransfersRaw(session);
    this.#takeOverDispositions();
    this.#answerBeforeClosing();
  }

  /** How many deliveries the link can take now; rhea itself counts only what it has flushed. */
  creditOf(link: RheaSender): number {
    this.#forgetSent();
    if (!link.is_open() || this.#closing.has(link)) return 0;
    return Math.min(link.credit - this.#countUnsent(link), this.#session.outgoing.available());
  }

  /** Whether an answer to a transfer or a disposition is still to come. */
  get isAnswering(): boolean {
    return this.#underWay.size > 0;
  }

  /** Sends a delivery that needs no disposition. */
  sendSettled(link: RheaSender, tag: Buffer, encoded: Buffer): void {
    this.#send(link, tag, encoded).settled = true;
  }

  /** Sends a delivery and has its disposition answered. */
  send(link: RheaSender, tag: Buffer, encoded: Buffer, settle: Settle): void {
    const delivery = this.#send(link, tag, encoded);
    this.#awaiting.set(delivery.id, { link, settle });
    this.#newestId = delivery.id;
  }

  /** Holds back the peer's closing of its links until `work`, which answers a transfer or a disposition, is done. */
  answer(work: Promise<void>): void {
    const done = work.finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  #send(link: RheaSender, tag: Buffer, encoded: Buffer): RheaDelivery {
    const delivery: RheaDelivery = link.send(encoded, tag, 0);
    this.#unsent.push(delivery);
    this.#unsentOn.set(link, this.#countUnsent(link) + 1);
    return delivery;
  }

  #countUnsent(link: RheaDelivery['link']): number {
    return this.#unsentOn.get(link) ?? 0;
  }

  #forgetSent(): void {
    const next = this.#session.outgoing.next_pending_delivery;
    const firstUnsent = this.#unsent[0];
    if (firstUnsent === undefined || firstUnsent.id >= next) return;
    const index = this.#unsent.findIndex(({ id }) => id >= next);
    const sent = this.#unsent.splice(0, index < 0 ? this.#unsent.length : index);
    for (const delivery of sent) {
      delivery.settled = true;
      delivery.remote_settled = true;
      this.#unsentOn.set(delivery.link, this.#countUnsent(delivery.link) - 1);
    }
    // rhea frees their places, and says `sendable`, when it processes the session the next time.
    this.#session.connection._register();
  }

  #takeOverDispositions(): void {
    const session = this.#session;
    const answerAsSender = session.on_disposition.bind(session);
    session.on_disposition = (frame) => {
      if (!frame.performative.role) return answerAsSender(frame);
      this.#onDisposition(frame.performative);
    };
  }

  #onDisposition({ first, last, settled, state }: DispositionFrame): void {
    if (state === undefined || state === null) return;
    // A client may settle all that there ever was, up to the last number.
    for (let id = first; id <= Math.min(last ?? first, this.#newestId); id += 1) {
      const awaiting = this.#awaiting.get(id);
      if (awaiting === undefined) continue;
      this.#awaiting.delete(id);
      this.answer(this.#settle(id, awaiting, state, settled === true));
    }
  }

  async #settle(
    id: number,
    { link, settle }: Awaiting,
    state: Typed,
    settledAlready: boolean,
  ): Promise<void> {
    const answer = await settle(state).then(acceptedState, refusal);
    if (settledAlready || !this.#session.is_open()) return;
    const delivery: AnsweredDelivery = { id, link, settled: false, remote_settled: false };
    this.#session.outgoing.update(delivery, true, answer);
  }

  /** The SDK may close a receiver while it settles, and would wait a minute for an answer that no link carries. */
  #answerBeforeClosing(): void {
    const session = this.#session;
    const onDetach = session.on_detach.bind(session);
    session.on_detach = (frame) => {
      this.#closing.add(session._get_link(frame));
      this.#whenAnswered(() => onDetach(frame));
    };
    const onEnd = session.on_end.bind(session);
    session.on_end = (frame) => {
      session.each_sender((link: RheaSender) => this.#closing.add(link));
      this.#whenAnswered(() => onEnd(frame));
    };
  }

  #whenAnswered(close: () => void): void {
    if (this.#underWay.size === 0) {
      close();
      return;
    }
    const { connection } = this.#session;
    void Promise.all(this.#underWay)
      .then(close)
      .catch((error) => connection.close({ condition: 'amqp:internal-error', description: String(error) }));
  }
}

/** The state that tells a peer why something was refused. */
export function refusal(error: unknown): Typed {
  if (error instanceof ServiceBusError) return rejectedState(error.condition, error.message);
  return rejectedState('amqp:internal-error', String(error));
}

function keepTransfersRaw(session: RheaSession): void {
  const onTransfer = session.on_transfer.bind(session);
  session.on_transfer = (frame) => {
    if (!frame.performative.message_format) frame.performative.message_format = RAW_FORMAT;
    onTransfer(frame);
  };
}
