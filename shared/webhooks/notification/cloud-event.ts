import { parseScopeId } from '../../records/index.ts';
import { type ChangeData, changeData, type ToldChange } from './change-data.ts';
import { eventType } from './event-type.ts';

/** An event of CloudEvents 1.0. */
export interface CloudEvent<Data> {
  readonly specversion: '1.0';
  /** Unique within the source: the revision. */
  readonly id: string;
  /** URI of the log that the change stands in. */
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly datacontenttype: 'application/json';
  /** Of the extension "Distributed Tracing". */
  readonly traceparent?: string;
  readonly data: Data;
}

/** @param publicUrl the setting `SKERRY_PUBLIC_URL`, which makes the source absolute. */
export function cloudEvent(told: ToldChange, publicUrl: string | undefined): CloudEvent<ChangeData> {
  const { scope, change } = told;
  const { ns, kind, name } = parseScopeId(scope);
  return {
    specversion: '1.0',
    id: String(change.revision),
    source: eventSource(name === '' ? [ns, kind] : [ns, kind, name], publicUrl),
    type: `skerry.${eventType({ ns, kind, name }, change)}`,
    subject: change.key,
    time: change.at,
    datacontenttype: 'application/json',
    ...(change.traceparent !== undefined && { traceparent: change.traceparent }),
    data: changeData(told),
  };
}

/** @returns a URI reference: absolute where this app knows how it is reached. */
export function eventSource(path: readonly string[], publicUrl = ''): string {
  return [publicUrl.replace(/\/+$/, ''), ...path.map(encodeURIComponent)].join('/');
}

/** The attributes of an event as HTTP headers (HTTP Protocol Binding 1.0.2, section 3.1.3). */
export function attributeHeaders(event: CloudEvent<unknown>): Record<string, string> {
  const { data: _, datacontenttype: __, ...attributes } = event;
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [`ce-${name}`, encodeHeaderValue(value)]),
  );
}

/** Percent-encodes what the binding wants so: the space, the double quote, the percent sign, and all that is not printable ASCII. */
function encodeHeaderValue(value: string): string {
  return value
    .toWellFormed()
    .replace(/[^\x21\x23\x24\x26-\x7e]+/g, (text) =>
      [...Buffer.from(text)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    );
}
