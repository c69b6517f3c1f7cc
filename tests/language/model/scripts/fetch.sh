#!/bin/sh
echo fetched
