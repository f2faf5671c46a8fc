import { invalid } from '../../platform/errors.ts';
import { isJsonPointer } from '../../platform/json-pointer.ts';
import type { ChangeType } from '../../records/index.ts';
import { checkEndpoint, type EndpointPolicy } from '../endpoint/endpoint-policy.ts';
import { checkHeaders } from './own-headers.ts';
import type { CloudEventsMode, SignatureVersion, SubscriptionValue, WebhookFormat } from './subscription.ts';
import { checkWatchedKey } from './watched-key.ts';

/** What a client says of a subscription; what it leaves out is not there, or has its default. */
export interface SubscriptionInput {
  readonly name: string;
  readonly key: string;
  readonly endpoint: string;
  readonly format?: Exclude<WebhookFormat, 'nesoi'> | undefined;
  readonly mode?: CloudEventsMode | undefined;
  readonly types?: readonly ChangeType[] | undefined;
  readonly changed?: readonly string[] | undefined;
  readonly fields?: readonly string[] | undefined;
  readonly ordered?: boolean | undefined;
  /** Whether the endpoint is asked before it is called; by the setting `SKERRY_WEBHOOK_CONSENT` unless said. */
  readonly consent?: boolean | undefined;
  readonly signature?: SignatureVersion | undefined;
  /** Further request headers by their names. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What the input says, as it is stored: all but what is secret, and what Skerry alone knows. */
type StatedValue = Pick<
  SubscriptionValue,
  'name' | 'key' | 'endpoint' | 'format' | 'mode' | 'types' | 'changed' | 'fields' | 'ordered'
>;

const MAX_POINTER_CHARACTERS = 500;

/**
 * Checks what the shape of the input does not tell.
 *
 * @throws SkerryError `invalid`.
 */
export function checkSubscriptionInput(input: SubscriptionInput, endpointPolicy: EndpointPolicy): void {
  const { key, endpoint, format, mode, changed = [], fields = [], headers = {} } = input;
  checkWatchedKey(key);
  checkEndpoint(endpoint, endpointPolicy);
  if (mode !== undefined && format !== 'cloudevents') {
    throw invalid('A mode is for CloudEvents only.', {
      field: 'mode',
      fix: 'Leave it out, or set format to "cloudevents".',
    });
  }
  checkPointers('changed', changed);
  checkPointers('fields', fields);
  checkHeaders(headers);
}

function checkPointers(field: string, pointers: readonly string[]): void {
  for (const [index, pointer] of pointers.entries()) {
    if (pointer.length > MAX_POINTER_CHARACTERS || !isJsonPointer(pointer)) {
      throw invalid(
        `"${pointer.slice(0, 100)}" is no JSON Pointer of at most ${MAX_POINTER_CHARACTERS} characters.`,
        {
          field: `${field}[${index}]`,
          fix: 'Write a slash before every step, such as "/config/limits/0"; "~1" is a slash in a name, and "~0" a tilde.',
        },
      );
    }
  }
}

export function statedValue(input: SubscriptionInput): StatedValue {
  const { name, key, endpoint, format = 'standard', mode = 'structured', types, changed, fields } = input;
  return {
    name,
    key,
    endpoint,
    format,
    ...(format === 'cloudevents' && { mode }),
    ...(types !== undefined && { types: [...new Set(types)] }),
    ...(changed !== undefined && { changed }),
    ...(fields !== undefined && { fields }),
    ...(input.ordered === true && { ordered: true }),
  };
}
