import { describe, expect, it } from 'vitest';
import { proxiesFromEnvironment } from './proxies.js';

describe('proxies of the environment', () => {
  it.each([
    [{}, undefined],
    [{ NO_PROXY: '*' }, undefined],
    [{ HTTP_PROXY: '', HTTPS_PROXY: '' }, undefined],
    [{ HTTP_PROXY: 'http://p:1' }, { http: 'http://p:1' }],
    [{ HTTP_PROXY: '', http_proxy: 'http://p:1' }, { http: 'http://p:1' }],
    [
      { https_proxy: 'p:1', no_proxy: 'a,b' },
      { https: 'http://p:1', except: 'a,b' },
    ],
    [{ HTTPS_PROXY: 'https://u:s@p', https_proxy: 'http://other' }, { https: 'https://u:s@p' }],
  ])('%j are %j', (env, proxies) => {
    expect(proxiesFromEnvironment(env)).toEqual(proxies);
  });
});
