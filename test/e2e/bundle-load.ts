import { expect } from 'vitest';
import type { Answer, HttpClient } from './http.ts';
import { Gone, untilGone } from './until-gone.ts';

const BUNDLE = 'bundles/crash';
const WRITERS = 2;
const PATHS = ['a.txt', 'b/c.txt', 'd.txt'];
const BOUNDARY = 'part-of-a-version';

interface Listed {
  readonly items: readonly { readonly version: number; readonly message: string }[];
  readonly next?: string;
}

/** Writers that publish until Skerry is gone: the files of a version all hold its mark, which is its message too. */
export class BundleLoad {
  /** Marks of the versions that were acknowledged. */
  readonly acknowledged = new Map<number, string>();
  readonly #attempted = new Set<string>();
  readonly #discarded = new Set<string>();
  /** Versions that were read as a whole. */
  readonly #verified = new Set<number>();
  /** Marks of the drafts whose commits were not answered, by their paths. */
  readonly #unanswered = new Map<string, string>();

  async run(api: HttpClient): Promise<void> {
    await Promise.all(
      Array.from({ length: WRITERS }, () =>
        untilGone(async () => {
          await this.#publish(api);
          await this.#publishByDraft(api);
        }),
      ),
    );
  }

  /** Holds all versions against what was acknowledged, and goes on with what was not answered. */
  async verify(api: HttpClient, when: string): Promise<void> {
    for (const [path, mark] of this.#unanswered) await this.#commit(api, path, mark);
    const messages = await messagesOf(api);
    const numbers = [...messages.keys()].sort((a, b) => a - b);
    expect(numbers, when).toEqual(numbers.map((_, index) => index + 1));
    for (const [version, mark] of this.acknowledged) {
      expect(messages.get(version), `version ${version} ${when}`).toBe(mark);
    }
    const marks = [...messages.values()];
    expect(new Set(marks).size, `marks ${when}`).toBe(marks.length);
    for (const [version, mark] of messages) {
      expect(this.#attempted.has(mark) && !this.#discarded.has(mark), `${mark} ${when}`).toBe(true);
      if (!this.#verified.has(version)) await expectWhole(api, version, mark);
      this.#verified.add(version);
    }
  }

  async #publish(api: HttpClient): Promise<void> {
    const mark = this.#mark();
    const parts = PATHS.map(
      (path) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${path}"\r\n\r\n${mark}\r\n`,
    );
    const answer = await api.send('PUT', `${BUNDLE}/versions?message=${mark}`, {
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
      body: `${parts.join('')}--${BOUNDARY}--\r\n`,
    });
    this.#acknowledge(answer, mark);
  }

  async #publishByDraft(api: HttpClient): Promise<void> {
    const mark = this.#mark();
    const begun = answered(await api.post(`${BUNDLE}/drafts`), 201);
    const path = `${BUNDLE}/drafts/${Object(begun.body).draft}`;
    for (const file of PATHS) answered(await api.put(`${path}/files/${file}`, mark), 200);
    if (this.#attempted.size % 5 === 0) {
      answered(await api.delete(path), 204);
      this.#discarded.add(mark);
    } else {
      this.#unanswered.set(path, mark);
      await this.#commit(api, path, mark);
    }
  }

  async #commit(api: HttpClient, path: string, mark: string): Promise<void> {
    this.#acknowledge(await api.post(`${path}/commit`, { message: mark }), mark);
    this.#unanswered.delete(path);
  }

  #acknowledge(answer: Answer, mark: string): void {
    const { version } = answered(answer, 201).body as { version: number };
    this.acknowledged.set(version, mark);
  }

  #mark(): string {
    const mark = `mark${this.#attempted.size}`;
    this.#attempted.add(mark);
    return mark;
  }
}

function answered(answer: Answer, status: number): Answer {
  if (answer.status === 503) throw new Gone();
  expect(answer.status, answer.text).toBe(status);
  return answer;
}

async function messagesOf(api: HttpClient): Promise<ReadonlyMap<number, string>> {
  const messages = new Map<number, string>();
  let after = '';
  do {
    const answer = await api.get(`${BUNDLE}/versions?limit=100${after}`);
    expect(answer.status, answer.text).toBe(200);
    const { items, next } = answer.body as Listed;
    for (const { version, message } of items) messages.set(version, message);
    after = next === undefined ? '' : `&after=${next}`;
  } while (after !== '');
  return messages;
}

async function expectWhole(api: HttpClient, version: number, mark: string): Promise<void> {
  const manifest = await api.get(`${BUNDLE}/versions/${version}`);
  const { files } = manifest.body as { files: readonly { readonly path: string }[] };
  expect(
    files.map(({ path }) => path),
    `version ${version}`,
  ).toEqual(PATHS);
  for (const path of PATHS) {
    const file = await api.get(`${BUNDLE}/versions/${version}/files/${path}`);
    expect([file.status, file.text.replaceAll('"', '')], `${path} of version ${version}`).toEqual([
      200,
      mark,
    ]);
  }
}
