import type { PageOptions } from '../config/apps.ts';
import { guard, type WriteOptions } from '../transport/guard.ts';
import { type Page, pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';
import type { Template, TemplateInput, TemplateSummary, TemplateVersion } from './template.ts';

/** Templates of environments, in versions that never change. */
export class Templates {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The newest version unless told; undefined where there is none. */
  async get(
    id: string,
    { version, signal }: CallOptions & { readonly version?: number | undefined } = {},
  ): Promise<Template | undefined> {
    const call = { path: pathOf(id), query: { version }, signal };
    return await orUndefined(this.#transport.json<Template>(call));
  }

  async listPage({ signal, ...query }: PageOptions = {}): Promise<Page<TemplateSummary>> {
    return await this.#transport.json({ path: 'templates', query, signal });
  }

  /** All templates, by id, without their content. */
  list(options: CallOptions = {}): AsyncGenerator<TemplateSummary, void, undefined> {
    return pages((after) => this.listPage({ ...options, after }));
  }

  /** All versions of one, the newest first. */
  versions(id: string, { signal }: CallOptions = {}): AsyncGenerator<TemplateVersion, void, undefined> {
    const path = `${pathOf(id)}/versions`;
    return pages((after) => this.#transport.json<Page<TemplateVersion>>({ path, query: { after }, signal }));
  }

  /**
   * Makes a version; none where the newest is the same.
   *
   * @throws SkerryProblem of status 422 where it refers to what is not there, or in a circle.
   */
  async put(id: string, input: TemplateInput, { ifRevision, signal }: WriteOptions = {}): Promise<Template> {
    return await this.#transport.json<Template>({
      method: 'PUT',
      path: pathOf(id),
      headers: guard(ifRevision),
      body: input,
      signal,
    });
  }

  /**
   * @returns whether it was there.
   * @throws SkerryProblem of status 409 while environments are made from it.
   */
  async delete(id: string, { ifRevision, signal }: WriteOptions = {}): Promise<boolean> {
    return await this.#transport.remove({ path: pathOf(id), headers: guard(ifRevision), signal });
  }
}

function pathOf(id: string): string {
  return `templates/${segment(id)}`;
}
