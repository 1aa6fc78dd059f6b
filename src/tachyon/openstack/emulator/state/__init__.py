"""What the emulated cloud is: plain records, changed by operations under the cloud's lock."""
