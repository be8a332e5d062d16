// The options that name a target and say how to connect, the same for every command that does.
#pragma once

#include <fulmar/host/controller.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace fulmar::cli {

struct target_options {
    std::string address = "127.0.0.1";
    std::uint16_t port = 4420;
    host::fabric over = host::fabric::tcp;
    std::string nqn;         ///< empty: the only subsystem that discovery offers
    std::uint32_t nsid = 0;  ///< 0: the first active namespace
    std::string hostnqn;
    std::string hostid;
    std::string dhchap_key;       ///< file; empty: we have none
    std::string dhchap_ctrl_key;  ///< file; empty: the controller need not prove who it is
    std::string tls_psk;          ///< file; empty: connections are plain
    bool tls_compat = false;
    double timeout_s = 10;
    double keep_alive_s = 15;
    bool header_digest = false;
    bool data_digest = false;
    bool no_flow_control = false;
    unsigned max_r2t = 1;
    unsigned alignment = 0;

    [[nodiscard]] host::controller_options controller() const;
    [[nodiscard]] std::shared_ptr<security::dhchap_credentials> keys() const;
    [[nodiscard]] std::shared_ptr<const host::tls_offer> tls() const;
};

void add_address(CLI::App& app, target_options& o);
/// Address, subsystem, who we are, digests and such.
void add_target(CLI::App& app, target_options& o);
void add_nsid(CLI::App& app, target_options& o);

/// A connected controller, with the NQN found by discovery when none was given. Leaves on error.
std::unique_ptr<host::controller> connect(target_options& o);

/// A namespace to do I/O on.
struct open_namespace {
    std::uint32_t nsid = 0;
    std::uint32_t block_bytes = 0;
    std::uint64_t blocks = 0;
};
open_namespace find_namespace(host::controller& c, const target_options& o);

/// Opens `count` I/O queues of `depth`, as many as the controller gives; says so when it gives
/// less.
std::vector<host::queue*> open_queues(host::controller& c, std::uint32_t count,
                                      std::uint32_t depth);

/// Says on stderr what the queues' books found wrong with the target; false when anything was.
bool checkers_are_clean(host::controller& c);

}  // namespace fulmar::cli
