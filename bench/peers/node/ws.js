// The usual `ws` server: a loop over a set of sockets.
import { WebSocket, WebSocketServer } from 'ws'

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096, perMessageDeflate: false })

server.on('connection', (socket) => {
  socket.on('message', (data) => {
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(data, { binary: false })
    }
  })
})
