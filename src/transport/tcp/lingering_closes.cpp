#include "lingering_closes.hpp"

#include <algorithm>
#include <utility>

namespace fulmar::transport::tcp {

namespace {
constexpr duration look_interval = std::chrono::milliseconds(20);
constexpr unsigned receives_per_look = 16;  // a peer that never stops sending gets its reset
}  // namespace

lingering_closes::~lingering_closes() {
    reactor_.timers().cancel(timer_);
    look();  // once more: what has arrived is no reason for a reset
}

void lingering_closes::add(std::unique_ptr<byte_stream> stream) noexcept {
    stream->end_output();
    if (ended(*stream)) return;
    if (count_ == all_.size()) {
        std::move(all_.begin() + 1, all_.end(), all_.begin());
        --count_;
    }
    all_[count_++] = {std::move(stream), reactor_.now() + limits::lingering_close};
    if (!timer_.armed()) reactor_.timers().arm(timer_, reactor_.now() + look_interval);
}

bool lingering_closes::ended(byte_stream& stream) noexcept {
    iovec into{scratch_.data(), scratch_.size()};
    for (unsigned i = 0; i < receives_per_look; ++i) {
        const byte_stream::result got = stream.receive({&into, 1});
        if (got.what == byte_stream::outcome::would_block) return false;
        if (got.what != byte_stream::outcome::moved) return true;
    }
    return false;
}

void lingering_closes::look() noexcept {
    const instant now = reactor_.now();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count_; ++i) {
        lingering_close one = std::move(all_[i]);
        if (ended(*one.stream) || now >= one.until) continue;
        all_[kept++] = std::move(one);
    }
    count_ = kept;
}

void lingering_closes::on_look() noexcept {
    look();
    if (count_ != 0) reactor_.timers().arm(timer_, reactor_.now() + look_interval);
}

}  // namespace fulmar::transport::tcp
