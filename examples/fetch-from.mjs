/** Fetches JSON from an instance of a service, as it stands in its view. */
export async function fetchFrom(view, path) {
  const instance = view.pick();
  if (instance === undefined) {
    throw new Error(`Nobody provides "${view.service}".`);
  }
  const response = await fetch(`${instance.endpoints.http}${path}`, { signal: AbortSignal.timeout(2000) });
  return await response.json();
}
