import path from 'node:path'
import { entries, external, root, tool, truth, write } from './common.mjs'

const dir = 'dist-webpack'
const compiler = tool('webpack')({
  context: root,
  mode: 'production',
  entry: entries,
  externals: Object.fromEntries(external.map(name => [name, `module ${name}`])),
  output: { path: path.join(root, dir), module: true },
  experiments: { outputModule: true, css: true },
  module: { rules: [{ test: /\.ts$/, use: path.join(root, 'ts.cjs') }] },
  optimization: { splitChunks: { chunks: 'all', minSize: 0 } },
  devtool: 'source-map',
  performance: false,
})
const stats = await new Promise((done, fail) => compiler.run((err, stats) => (err ? fail(err) : done(stats))))
if (stats.hasErrors()) throw new Error(stats.toString('errors-only'))
// As webpack --json does, with all that can be asked for, and with that in groups.
const flat = ['Assets', 'Modules'].flatMap(what => ['ByChunk', 'ByEmitStatus', 'ByInfo', 'ByPath', 'ByExtension', 'ByAttributes', 'ByCacheStatus', 'ByLayer', 'ByType'].map(by => [`group${what}${by}`, false]))
write(dir, 'stats-default.json', stats.toJson())
write(dir, 'stats.json', stats.toJson({ all: true, source: false, ...Object.fromEntries(flat) }))
write(dir, 'stats-grouped.json', stats.toJson({ all: true, source: false }))

// Not from the JSON: the modules that lie in a chunk, those joined into one each by itself.
const { chunkGraph, modules } = stats.compilation
const kept = [...modules].filter(m => chunkGraph.getNumberOfModuleChunks(m) > 0)
truth(dir, kept.flatMap(m => (m.modules ? [...m.modules] : [m])).map(m => m.resource).filter(Boolean))
compiler.close(() => {})
