// NVMe/TCP as the target sees it: listeners on the control reactor, one group on each data reactor.
#include "tcp_group.hpp"
#include "tcp_listener.hpp"

#include <fulmar/transport/tcp.hpp>

#include <vector>

namespace fulmar::transport {

namespace {

class tcp_transport final : public core::transport {
  public:
    explicit tcp_transport(core::target& target) : target_(target) {}

    [[nodiscard]] std::string_view name() const noexcept override { return "tcp"; }

    result<std::unique_ptr<core::listener>> listen(const core::listener_spec& spec,
                                                   core::listen_mode mode) override {
        return tcp::tcp_listener::open(spec, mode, target_, groups_);
    }

    result<std::unique_ptr<core::transport_group>> create_group(core::poll_group& group) override {
        auto made = std::make_unique<tcp::tcp_group>(group);
        groups_.push_back(made.get());
        return made;
    }

  private:
    core::target& target_;
    std::vector<tcp::tcp_group*> groups_;
};

}  // namespace

std::unique_ptr<core::transport> make_tcp_transport(core::target& target) {
    return std::make_unique<tcp_transport>(target);
}

}  // namespace fulmar::transport
