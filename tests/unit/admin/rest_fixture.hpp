// A REST server over a fake core, and a client of it.
#pragma once

#include "support/eventually.hpp"
#include "support/fake_control.hpp"
#include "support/fake_drives.hpp"
#include "support/http_client.hpp"

#include <fulmar/admin/key_store.hpp>
#include <fulmar/admin/server.hpp>
#include <fulmar/base/log.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

namespace fulmar::admin::testing_support {

using nlohmann::json;

/// Of the subsystem that the tests make.
inline const std::string rest_nqn = "nqn.2026-11.io.fulmar:a";

struct rest_fixture : testing::Test {
    void SetUp() override {
        fulmar::log::set_level(std::getenv("FULMAR_TEST_LOG") ? fulmar::log::level::debug
                                                              : fulmar::log::level::off);
        folder = testing::TempDir() + "/fulmar_rest_" + std::to_string(::getpid());
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(folder);
        setup.options.admin.unix_socket = folder + "/admin.sock";
    }
    void TearDown() override {
        server_.reset();
        std::filesystem::remove_all(folder);
        fulmar::log::set_level(fulmar::log::level::info);
    }

    void start() {
        setup.port = &fake;
        setup.drives = &drives;
        keys = std::make_unique<key_store>(folder + "/keys", "");
        setup.keys = keys.get();
        auto started = server::start(setup);
        ASSERT_TRUE(started.has_value()) << started.error().text();
        server_ = std::move(*started);
    }
    test::http_client connect() { return test::http_client::unix_socket(socket()); }
    [[nodiscard]] std::string socket() const { return setup.options.admin.unix_socket; }

    std::string folder;
    server::setup setup;
    test::control_thread control;
    test::fake_control fake{control.reactor(), {}};
    test::fake_drives drives;
    std::unique_ptr<key_store> keys;
    std::unique_ptr<server> server_;
};

}  // namespace fulmar::admin::testing_support
