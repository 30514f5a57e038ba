// Runs before the user's code: what programs written for Node expect of the
// global scope and can have without the operating system.
(function (print) {
  'use strict';
  const define = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

  function show(v) {
    if (typeof v === 'string') return v;
    if (typeof v === 'bigint') return String(v) + 'n';
    if (v instanceof Error) return String(v);
    if (typeof v === 'object' && v !== null) {
      try { return JSON.stringify(v); } catch (e) { return String(v); }
    }
    return String(v);
  }
  const log = (...args) => { print(args.map(show).join(' ')); };
  define('console', { log, info: log, warn: log, error: log, debug: log, trace: log });

  function encodeUTF8(s) {
    const out = [];
    for (const ch of String(s)) {
      let c = ch.codePointAt(0);
      if (c >= 0xd800 && c <= 0xdfff) c = 0xfffd;
      if (c < 0x80) out.push(c);
      else if (c < 0x800) out.push(0xc0 | c >> 6, 0x80 | c & 63);
      else if (c < 0x10000) out.push(0xe0 | c >> 12, 0x80 | c >> 6 & 63, 0x80 | c & 63);
      else out.push(0xf0 | c >> 18, 0x80 | c >> 12 & 63, 0x80 | c >> 6 & 63, 0x80 | c & 63);
    }
    return out;
  }
  function decodeUTF8(b) {
    const parts = [];
    for (let i = 0; i < b.length;) {
      const c = b[i++];
      let n = 0, p = c, min = 0;
      if (c >= 0xf0 && c < 0xf5) { n = 3; p = c & 7; min = 0x10000; }
      else if (c >= 0xe0 && c < 0xf0) { n = 2; p = c & 15; min = 0x800; }
      else if (c >= 0xc2 && c < 0xe0) { n = 1; p = c & 31; min = 0x80; }
      else if (c >= 0x80) { parts.push('\ufffd'); continue; }
      let j = i;
      while (n > 0 && j < b.length && (b[j] & 0xc0) === 0x80) { p = p << 6 | b[j++] & 63; n--; }
      if (n > 0 || p < min || p > 0x10ffff || (p >= 0xd800 && p <= 0xdfff)) { parts.push('\ufffd'); continue; }
      i = j;
      parts.push(String.fromCodePoint(p));
    }
    return parts.join('');
  }
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  function toBase64(b) {
    const out = [];
    for (let i = 0; i < b.length; i += 3) {
      const n = b[i] << 16 | (b[i + 1] || 0) << 8 | (b[i + 2] || 0);
      out.push(digits[n >> 18], digits[n >> 12 & 63], i + 1 < b.length ? digits[n >> 6 & 63] : '=', i + 2 < b.length ? digits[n & 63] : '=');
    }
    return out.join('');
  }
  function fromBase64(s) {
    const out = [];
    let n = 0, bits = 0;
    for (const ch of String(s)) {
      if (ch === '=') break;
      const v = digits.indexOf(ch === '-' ? '+' : ch === '_' ? '/' : ch);
      if (v < 0) continue;
      n = (n << 6 | v) & 0xffffff;
      bits += 6;
      if (bits >= 8) { bits -= 8; out.push(n >> bits & 255); }
    }
    return out;
  }
  const latin1 = (b) => Array.from(b, (c) => String.fromCharCode(c)).join('');
  const bytesOf = (s) => Array.from(String(s), (c) => c.charCodeAt(0) & 255);

  class Buffer extends Uint8Array {
    static from(v, encoding) {
      if (typeof v === 'string') {
        switch (String(encoding || 'utf8').toLowerCase()) {
          case 'base64': case 'base64url': return new Buffer(fromBase64(v));
          case 'hex': return new Buffer((v.match(/[0-9a-fA-F]{2}/g) || []).map((h) => parseInt(h, 16)));
          case 'latin1': case 'binary': case 'ascii': return new Buffer(bytesOf(v));
          case 'utf8': case 'utf-8': return new Buffer(encodeUTF8(v));
          default: throw new TypeError('Unknown encoding: ' + encoding);
        }
      }
      if (v instanceof ArrayBuffer) return new Buffer(v);
      return new Buffer(Array.from(v));
    }
    static alloc(n, fill) { const b = new Buffer(n); if (fill !== undefined) b.fill(fill); return b; }
    static isBuffer(v) { return v instanceof Buffer; }
    static byteLength(s, encoding) { return Buffer.from(s, encoding).length; }
    static concat(list) { const out = []; for (const b of list) for (const c of b) out.push(c); return new Buffer(out); }
    toString(encoding) {
      switch (String(encoding || 'utf8').toLowerCase()) {
        case 'base64': return toBase64(this);
        case 'base64url': return toBase64(this).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
        case 'hex': return Array.from(this, (c) => c.toString(16).padStart(2, '0')).join('');
        case 'latin1': case 'binary': case 'ascii': return latin1(this);
        case 'utf8': case 'utf-8': return decodeUTF8(this);
        default: throw new TypeError('Unknown encoding: ' + encoding);
      }
    }
    toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
  }
  define('Buffer', Buffer);
  define('btoa', (s) => toBase64(bytesOf(s)));
  define('atob', (s) => latin1(fromBase64(s)));
  define('TextEncoder', class TextEncoder { encode(s) { return new Uint8Array(encodeUTF8(s === undefined ? '' : s)); } });
  define('TextDecoder', class TextDecoder { decode(b) { return decodeUTF8(b === undefined ? [] : b instanceof ArrayBuffer ? new Uint8Array(b) : b); } });
  define('structuredClone', (v) => JSON.parse(JSON.stringify(v)));
  define('require', (name) => {
    if (name === 'buffer' || name === 'node:buffer') return { Buffer };
    throw new Error("Cannot find module '" + name + "': code runs without Node's modules");
  });

  // Timers fire in the order in which they are due, as soon as nothing else is
  // left to do: waiting would only burn the run's time.
  let timers = [], nextTimer = 1, now = 0;
  const addTimer = (fn, delay, args, every) => {
    const t = { id: nextTimer++, at: now + Math.max(0, Number(delay) || 0), delay: Number(delay) || 0, fn, args, every };
    timers.push(t);
    return t.id;
  };
  const clear = (id) => { timers = timers.filter((t) => t.id !== id); };
  define('setTimeout', (fn, delay, ...args) => addTimer(fn, delay, args, false));
  define('setInterval', (fn, delay, ...args) => addTimer(fn, delay, args, true));
  define('setImmediate', (fn, ...args) => addTimer(fn, 0, args, false));
  define('clearTimeout', clear);
  define('clearInterval', clear);
  define('clearImmediate', clear);
  define('queueMicrotask', (fn) => { Promise.resolve().then(fn); });

  const describe = (e) => {
    try {
      if (e instanceof Error) return e.stack ? String(e) + '\n' + e.stack : String(e);
      return 'Uncaught ' + show(e);
    } catch (inner) { return 'Uncaught exception'; }
  };
  const stringify = JSON.stringify, parse = JSON.parse;
  let state = 'pending', text = '';
  const done = function __millraceDone(v) {
    try {
      text = stringify(v);
      if (text === undefined) text = 'null';
      state = 'done';
    } catch (e) { failed(e); }
  };
  const failed = (e) => { text = describe(e); state = 'failed'; };
  const control = {
    // Below these names stacks are not the user's business.
    start: function __millraceStart(inputs) {
      try {
        const r = main(parse(inputs));
        if (r !== null && typeof r === 'object' && typeof r.then === 'function') r.then(done, failed);
        else done(r);
      } catch (e) { failed(e); }
    },
    // fire runs the next due timer and says whether there was one.
    fire: function __millraceFire() {
      if (timers.length === 0) return false;
      let next = timers[0];
      for (const t of timers) if (t.at < next.at) next = t;
      now = next.at;
      if (next.every) next.at += Math.max(1, next.delay);
      else clear(next.id);
      try { next.fn(...next.args); } catch (e) { if (state === 'pending') failed(e); }
      return true;
    },
    state() { return state; },
    text() { return text; },
  };
  Object.defineProperty(globalThis, '__millrace', { value: Object.freeze(control) });
})(__millracePrint);
