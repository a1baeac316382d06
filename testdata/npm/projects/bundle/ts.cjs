// A webpack loader for TypeScript.
const { createRequire } = require('node:module')
const esbuild = createRequire(require('node:path').join(process.env.TOOLS, 'tools.js'))('esbuild')

module.exports = function (source) {
  const { code, map } = esbuild.transformSync(source, { loader: 'ts', sourcemap: 'external', sourcefile: this.resourcePath })
  this.callback(null, code, JSON.parse(map))
}
