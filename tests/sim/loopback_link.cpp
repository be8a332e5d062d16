#include "host_link.hpp"
#include "world.hpp"

namespace fulmar::sim {

namespace {

class loopback_link final : public host_link, transport::loopback_host {
  public:
    loopback_link(world& w, link_user& user, const identity& who) : user_(user) {
        transport::loopback_host& events = *this;
        connection_ =
            w.fabric().connect(events, {.address = "sim", .port = who.port, .group = who.group});
    }

    void submit(nvme::sqe command, std::span<const std::byte> data, bool in_capsule,
                std::uint32_t answer_bytes) override {
        connection_->submit(command, data, in_capsule, answer_bytes);
    }
    void cut() noexcept override { connection_->cut(); }
    void finish() override { connection_->finish(); }
    void set_reading(bool reading) noexcept override { connection_->set_reading(reading); }
    void set_sending_data(bool sending) noexcept override {
        connection_->set_sending_data(sending);
    }
    [[nodiscard]] std::uint64_t number() const noexcept override { return connection_->number(); }

  private:
    void on_answer(transport::loopback_connection&, const nvme::cqe& answer,
                   std::span<const std::byte> data) noexcept override {
        user_.on_answer(answer, data);
    }
    void on_closed(transport::loopback_connection&) noexcept override { user_.on_closed(); }

    link_user& user_;
    std::unique_ptr<transport::loopback_connection> connection_;
};

}  // namespace

std::unique_ptr<host_link> open_link(world& w, link_user& user, const identity& who) {
    if (who.tcp) return open_tcp_link(w, user, who);
    return std::make_unique<loopback_link>(w, user, who);
}

}  // namespace fulmar::sim
