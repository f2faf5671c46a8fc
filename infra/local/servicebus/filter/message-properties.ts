import { decodeScalar, itemsOf, NULL, sectionValue } from '../amqp/encoding.ts';
import type { MessageContent } from '../broker/message.ts';

/** A type that filters can neither compare nor calculate with, such as a UUID or bytes. */
export const OPAQUE = Symbol('opaque');

/** A value in a filter; integers are bigints, so that they stay apart from floating-point numbers. */
export type Value = string | bigint | number | boolean | Date | null | typeof OPAQUE;

/** Where the AMQP properties section (OASIS AMQP 1.0, part 3.2.4) has what Service Bus calls a system property. */
const POSITIONS = {
  messageid: 0,
  to: 2,
  label: 3,
  subject: 3,
  replyto: 4,
  correlationid: 5,
  contenttype: 6,
  sessionid: 10,
  replytosessionid: 12,
} as const;

/** In lower case, because names of properties ignore case. */
export type SystemProperty = keyof typeof POSITIONS;

/** Whether filters here can ask for the system property; `name` in lower case. */
export function isSystemProperty(name: string): name is SystemProperty {
  return Object.hasOwn(POSITIONS, name);
}

/** What filters see of a message. */
export interface MessageProperties {
  /** Null when the message has none. */
  system(name: SystemProperty): string | null;
  /** Undefined when the message has none; the name ignores case. */
  user(name: string): Value | undefined;
}

export function readMessageProperties(content: MessageContent): MessageProperties {
  const fields = itemsOf(sectionValue(content.properties));
  const user = new Map<string, Value>();
  const entries = itemsOf(sectionValue(content.applicationProperties));
  for (let index = 0; index + 1 < entries.length; index += 2) {
    const name = String(decodeScalar(entries[index] ?? NULL)).toLowerCase();
    user.set(name, decodeValue(entries[index + 1] ?? NULL));
  }
  return {
    system: (name) => textOf(decodeScalar(fields[POSITIONS[name]] ?? NULL)),
    user: (name) => user.get(name.toLowerCase()),
  };
}

function textOf(field: ReturnType<typeof decodeScalar>): string | null {
  if (field === null || field === undefined) return null;
  return Buffer.isBuffer(field) ? field.toString('hex') : String(field);
}

function decodeValue(encoded: Buffer): Value {
  switch (encoded[0]) {
    case 0x72:
      return encoded.readFloatBE(1);
    case 0x82:
      return encoded.readDoubleBE(1);
    case 0x80:
      return encoded.readBigUInt64BE(1);
    case 0x81:
      return encoded.readBigInt64BE(1);
  }
  const scalar = decodeScalar(encoded);
  if (scalar === undefined || Buffer.isBuffer(scalar)) return OPAQUE;
  return typeof scalar === 'number' ? BigInt(scalar) : scalar;
}
