import { MillraceError } from '../base/errors.ts';

/** Where Redis is, and how it is laid out. */
export type RedisTarget =
  | { readonly kind: 'socket'; readonly path: string }
  /** `url` as given: the client knows more of its query than we do. */
  | { readonly kind: 'server'; readonly url: string; readonly host: string }
  | (RedisNodes & {
      readonly kind: 'sentinel';
      readonly master: string;
      readonly db: number;
      readonly sentinelPassword: string | null;
    })
  | (RedisNodes & { readonly kind: 'cluster' });

export interface RedisNodes {
  /** Some of the sentinels, or of the cluster's nodes; the others are learned from them. */
  readonly nodes: readonly RedisAddress[];
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: boolean;
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads where Redis is:
 *
 *     redis://[user:password@]host[:port][/db]                         one server
 *     /run/redis.sock                                                  one server, by its unix socket
 *     redis+sentinel://[user:password@]h1[:26379],h2…/master[/db]      the primary that Sentinel names; ?sentinelPassword=…
 *     redis+cluster://[user:password@]h1[:6379],h2…                    a cluster, found by any of these nodes
 *
 * `rediss` instead of `redis` is TLS, to sentinels as well. An IPv6 host stands between brackets. In user and password `%XX` is decoded.
 * @throws MR_CONFIG_INVALID saying what is wrong; never with the password
 */
export function parseRedisUrl(url: string): RedisTarget {
  if (url.startsWith('/')) return { kind: 'socket', path: url };
  const parts = /^(rediss?)(?:\+([a-z]+))?:\/\/(.*)$/s.exec(url);
  if (parts === null)
    throw invalid('it must begin with redis://, rediss://, redis+sentinel://, redis+cluster:// or /');
  const [, scheme, layout, rest = ''] = parts;
  const tls = scheme === 'rediss';
  if (layout === undefined) return serverTarget(url);
  if (layout !== 'sentinel' && layout !== 'cluster')
    throw invalid(`'${layout}' is no layout of Redis; use sentinel or cluster`);
  const query = rest.indexOf('?');
  const beforeQuery = query < 0 ? rest : rest.slice(0, query);
  const options = queryOptions(query < 0 ? '' : rest.slice(query + 1), layout);
  const slash = beforeQuery.indexOf('/', Math.max(0, beforeQuery.lastIndexOf('@')));
  const authority = slash < 0 ? beforeQuery : beforeQuery.slice(0, slash);
  const path = slash < 0 ? [] : beforeQuery.slice(slash + 1).split('/');
  const at = authority.lastIndexOf('@');
  const common = {
    ...credentials(at < 0 ? null : authority.slice(0, at)),
    nodes: addresses(authority.slice(at + 1), layout === 'sentinel' ? 26_379 : 6_379),
    tls,
  };
  return layout === 'sentinel'
    ? { kind: 'sentinel', ...common, ...masterOf(path), sentinelPassword: options.sentinelPassword }
    : { kind: 'cluster', ...clusterPath(path), ...common };
}

/** The target for people: without user, password and query. */
export function targetText(target: RedisTarget): string {
  switch (target.kind) {
    case 'socket':
      return target.path;
    case 'server':
      return target.host;
    case 'sentinel':
      return `'${target.master}' of the sentinels ${target.nodes.map(addressText).join(', ')}`;
    case 'cluster':
      return `the cluster of ${target.nodes.map(addressText).join(', ')}`;
  }
}

/** `host:port`, which also names a node of a cluster. */
export function addressText({ host, port }: RedisAddress): string {
  return `${host}:${port}`;
}

function serverTarget(url: string): RedisTarget {
  if (!URL.canParse(url)) throw invalid('it is not a URL; write redis://host:port');
  const { hostname, host, pathname, protocol } = new URL(url);
  if (hostname === '') throw invalid('it names no host; write redis://host:port');
  if (!/^(\/\d*)?$/.test(pathname)) throw invalid(`'${pathname}' is no number of a database`);
  return { kind: 'server', url, host: `${protocol}//${host}` };
}

function addresses(list: string, defaultPort: number): readonly RedisAddress[] {
  return list.split(',').map((text) => {
    const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
    const port = Number(parts?.[3] ?? defaultPort);
    const host = parts?.[1] ?? parts?.[2];
    if (host === undefined || port < 1 || port > 65_535)
      throw invalid(`'${text.slice(0, 64)}' is not host:port; write host1:port,host2:port`);
    return { host, port };
  });
}

function credentials(text: string | null): Pick<RedisNodes, 'username' | 'password'> {
  if (text === null) return { username: null, password: null };
  const colon = text.indexOf(':');
  if (colon < 0) throw invalid('before @ it needs user:password, or :password');
  const [username, password] = [text.slice(0, colon), text.slice(colon + 1)].map(decoded);
  return { username: username || null, password: password || null };
}

function masterOf(path: readonly string[]): { readonly master: string; readonly db: number } {
  const [master = '', db = '0', ...more] = path;
  if (master === '') throw invalid('it names no master; write redis+sentinel://host:port/master');
  if (!/^\d{1,9}$/.test(db) || more.length > 0)
    throw invalid(`after the master's name only the number of a database may follow`);
  return { master: decoded(master), db: Number(db) };
}

function clusterPath(path: readonly string[]): Record<never, never> {
  const text = path.join('/');
  if (text === '' || text === '0') return {};
  throw invalid(`a cluster has database 0 only, not '/${text.slice(0, 64)}'`);
}

function queryOptions(text: string, layout: string): { readonly sentinelPassword: string | null } {
  const query = new URLSearchParams(text);
  for (const name of query.keys())
    if (layout !== 'sentinel' || name !== 'sentinelPassword')
      throw invalid(`${layout} URLs have no option '${name.slice(0, 64)}'`);
  return { sentinelPassword: query.get('sentinelPassword') };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('a % in it is not followed by two hex digits; write %25');
  }
}

function invalid(why: string): MillraceError {
  return new MillraceError('MR_CONFIG_INVALID', `The URL of Redis cannot be used: ${why}.`);
}
