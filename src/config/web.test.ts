import { describe, expect, it } from 'vitest';
import { ConfigError, parseConfig } from './load.js';

describe('web', () => {
  it('listens beyond this machine only with a token', () => {
    expect(() => parseConfig({ web: { listenAddress: '0.0.0.0:8080' } }, 'f')).toThrow(
      /web\.tokenFile: is needed, because web\.listenAddress is not on loopback/,
    );
    expect(() => parseConfig({ web: { listenAddress: '[::]:8080' } }, 'f')).toThrow(ConfigError);
    expect(parseConfig({ web: { listenAddress: '0.0.0.0:8080', tokenFile: '/t' } }, 'f').web.tokenFile).toBe('/t');
    expect(parseConfig({ web: { listenAddress: '0.0.0.0:8080', enabled: false } }, 'f').web.enabled).toBe(false);
  });

  it('needs none on loopback', () => {
    for (const listenAddress of ['127.0.0.1:1', '127.9.9.9:1', 'localhost:1', '[::1]:1'])
      expect(parseConfig({ web: { listenAddress } }, 'f').web.listenAddress).toBe(listenAddress);
  });
});
