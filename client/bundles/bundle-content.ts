import type { Json } from '../store/content.ts';
import type { Answer } from '../transport/transport.ts';

/** A file of a bundle as it was read. */
export class BundleContent {
  readonly path: string;
  /** The version that it belongs to, whatever was asked for. */
  readonly version: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;

  constructor(path: string, { bytes, contentType, version }: Answer) {
    this.path = path;
    this.version = version ?? 0;
    this.bytes = bytes;
    this.contentType = contentType;
  }

  /** The bytes as UTF-8. */
  text(): string {
    return new TextDecoder().decode(this.bytes);
  }

  /** @throws SyntaxError for a file that is no JSON. */
  json<Value extends Json = Json>(): Value {
    return JSON.parse(this.text()) as Value;
  }
}
