mod clock;
mod demux;
mod keys;
mod sdp;
mod stun;
