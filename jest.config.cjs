/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: '<rootDir>/test/realm-env.cjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  transform: {
    '/node_modules/.+\\.m?js$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'ecmascript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // Vega and what it stands on are modules alone, which jest cannot require as they are.
  transformIgnorePatterns: [
    '/node_modules/(?!(vega|vega-[a-z-]+|d3-[a-z-]+|internmap|delaunator|robust-predicates|json-stringify-pretty-compact)/)',
  ],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    // The other build waits at its top for a canvas that is not there.
    '^vega-canvas$': '<rootDir>/node_modules/vega-canvas/build/vega-canvas.browser.js',
  },
  modulePathIgnorePatterns: ['<rootDir>/build', '<rootDir>/dist', '<rootDir>/out'],
  testTimeout: 240000, // shared machines can be ten times slower than their cores
  maxWorkers: 2,
};
