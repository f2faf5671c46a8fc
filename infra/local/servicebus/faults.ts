import { type FaultGrammar, FaultRules } from '../faults/fault-rules.ts';
import { invalidArgument } from './service-bus-error.ts';

export type FaultAction =
  /** The connection ends before the operation, or after its effect and before its answer. */
  | { readonly kind: 'drop-connection'; readonly when: 'before' | 'after' }
  /** The operation is refused with an AMQP error condition, and its link detached with the same. */
  | { readonly kind: 'detach-link'; readonly condition: string }
  | { readonly kind: 'server-busy' }
  /** The message, or the session, that the operation is about is no longer locked; a send is about neither. */
  | { readonly kind: 'lock-lost' }
  | { readonly kind: 'delay'; readonly ms: number };

/** What a client does to an entity. */
export type Operation =
  | 'send'
  | 'receive'
  | 'complete'
  | 'abandon'
  | 'deadLetter'
  | 'defer'
  | ManagementOperation;

/** What is only asked by way of `$management`; a rule for `management` matches all that comes that way. */
export type ManagementOperation =
  | 'schedule'
  | 'cancelScheduled'
  | 'peek'
  | 'renewLock'
  | 'renewSessionLock'
  | 'getSessionState'
  | 'setSessionState'
  | 'receiveDeferred';

export interface FaultSubject {
  /** The path of a queue or subscription, in lower case. */
  readonly entity: string;
  readonly operation: Operation;
  readonly byManagement: boolean;
}

const GRAMMAR: FaultGrammar<FaultSubject, FaultAction> = {
  matchers: {
    entity: ({ entity }, wanted) => entity === wanted.toLowerCase(),
    operation: ({ operation, byManagement }, wanted) =>
      operation === wanted || (byManagement && wanted === 'management'),
  },
  readAction,
  refuse: invalidArgument,
};

/** Faults that tests inject; a rule that cannot be understood is a ServiceBusError 400. */
export class Faults extends FaultRules<FaultSubject, FaultAction> {
  constructor() {
    super(GRAMMAR);
  }
}

function readAction({
  kind,
  when = 'before',
  condition,
  ms,
}: Readonly<Record<string, unknown>>): FaultAction {
  if (kind === 'server-busy' || kind === 'lock-lost') return { kind };
  if (kind === 'drop-connection' && (when === 'before' || when === 'after')) return { kind, when };
  if (kind === 'delay' && typeof ms === 'number' && ms >= 0) return { kind, ms };
  if (kind === 'detach-link' && (condition === undefined || typeof condition === 'string')) {
    return { kind, condition: condition ?? 'amqp:link:detach-forced' };
  }
  throw invalidArgument(
    'A fault is one of drop-connection with when before or after, detach-link with an AMQP condition, ' +
      'server-busy, lock-lost, or delay with ms.',
  );
}
