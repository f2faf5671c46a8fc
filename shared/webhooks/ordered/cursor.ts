import { hashId } from '../subscription/subscription.ts';

/** How far an ordered subscription has come in the log of one scope. */
export interface Cursor {
  readonly subscription: string;
  /** Partition key of the scope. */
  readonly scope: string;
  /** Of the last change that is done: delivered, dead, or none that the subscription hears of. */
  readonly revision: number;
  /** Name of the message whose handler is at work. */
  readonly holder?: string;
  /** When its handler counts as dead, in milliseconds since the Unix epoch. */
  readonly heldUntil?: number;
  /** Name of the message whose handler put the next change off. */
  readonly blocker?: string;
  /** Until when it is put off, in milliseconds since the Unix epoch; a message that goes on then is under way. */
  readonly blockedUntil?: number;
}

/** A cursor as it was read or written, with what proves at the next write that nobody changed it meanwhile. */
export interface VersionedCursor {
  readonly cursor: Cursor;
  readonly etag: string;
  /** When it was written before it was read, in milliseconds since the Unix epoch, to the second; absent for who wrote it. */
  readonly writtenAt?: number;
}

/** Id of its document, beside the deliveries of its subscription. */
export function cursorId({ scope }: Pick<Cursor, 'scope'>): string {
  return `cursor:${hashId(scope)}`;
}

/** The cursor let go of, behind a revision. */
export function released({ subscription, scope }: Cursor, revision: number): Cursor {
  return { subscription, scope, revision };
}

/** The cursor let go of, with the change behind it put off. */
export function blocked(
  cursor: Cursor,
  revision: number,
  block: Required<Pick<Cursor, 'blocker' | 'blockedUntil'>>,
): Cursor {
  return { ...released(cursor, revision), ...block };
}
