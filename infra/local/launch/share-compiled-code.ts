import { enableCompileCache, getCompileCacheDir } from 'node:module';

/** Loading code is most of a start; compiled once, it loads in half the time here and in the processes that this one starts. */
export function shareCompiledCode(): void {
  enableCompileCache();
  const folder = getCompileCacheDir();
  if (folder !== undefined) process.env.NODE_COMPILE_CACHE ??= folder;
}
